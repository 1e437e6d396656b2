import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';

import { installTools } from '../../../demo/stage/tools.ts';
import { orSkip } from '../../reporting/skip.ts';
import { startWatched, type WatchedProcess } from '../../reporting/watched-process.ts';

/** Away from the other tests' ports. */
const PORT = 17_754;

const STOPS_WITHIN_MS = 20_000;

/** What runs when somebody presses Ctrl-C, from the first second to the last. */
const MOMENTS: readonly (readonly [string, RegExp])[] = [
  ["the control plane's first moment", /cli\/main\.ts serve/],
  ['the making of the database', /\/initdb/],
  ["the database's start", /bin\/postgres -D/],
  ['the packing of the extension', /build\/package\.ts/],
  ['the installation of the extension', /--install-extension/],
  ["VS Code's start", /--socket-path/],
];

describe('Ctrl-C in npm run demo', function () {
  this.timeout(120_000);
  let demo: WatchedProcess | undefined;

  before(async function () {
    this.timeout(600_000);
    await orSkip(this, () => installTools(console.log));
  });
  afterEach(async () => {
    await demo?.close();
    demo = undefined;
  });

  const assertStopped = async (stopped: WatchedProcess): Promise<void> => {
    const asked = performance.now();
    process.kill(stopped.process.pid, 'SIGINT');
    assert.deepEqual(await stopped.process.ended, { code: 130, signal: null });
    assert.deepEqual(stopped.others(), []);
    assert.deepEqual(await readdir(stopped.temporary), []);
    assert.ok(performance.now() - asked < STOPS_WITHIN_MS, 'it took too long');
  };

  for (const [moment, pattern] of MOMENTS) {
    it(`during ${moment} leaves nothing running and no file`, async () => {
      demo = await startWatched('demo/main.ts', ['--port', String(PORT)]);
      await demo.seen(pattern);
      await assertStopped(demo);
    });
  }

  it('in the middle of the tour leaves nothing running and no file', async function () {
    this.timeout(300_000);
    demo = await startWatched('demo/main.ts', ['--tour', '--pictures', '.demo/stopped-tour']);
    await demo.process.waitForLine(/"step":"sign-in","ok":true/, 240_000);
    await assertStopped(demo);
  });
});
