import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { startWatched, type WatchedProcess } from '../../reporting/watched-process.ts';

const MOCHA = 'node_modules/mocha/bin/mocha.js';

/** The shortest that starts a control plane with its database. */
const TESTS = 'test/faults/crashes.test.ts';

const CONTROL_PLANE = /cli\/main\.ts serve/;
const DATABASE = /bin\/postgres -D/;

describe('a test run that is called off', function () {
  this.timeout(120_000);
  let run: WatchedProcess | undefined;
  afterEach(async () => {
    await run?.close();
    run = undefined;
  });

  /** A worker ends its database, and a database shuts down, in their own time. */
  const assertNothingRuns = async (): Promise<void> => {
    const start = performance.now();
    while ((run?.others().length ?? 0) > 0 && performance.now() - start < 45_000) await delay(50);
    assert.deepEqual(run?.others(), []);
  };

  for (const [signal, code, program, words, pattern] of [
    ['SIGTERM', 143, 'test/run.ts', ['parts'], DATABASE],
    ['SIGINT', 130, 'test/run.ts', ['parts'], DATABASE],
    ['SIGTERM', 143, MOCHA, [TESTS], CONTROL_PLANE],
  ] as const) {
    it(`by ${signal} to ${program} leaves nothing running`, async () => {
      run = await startWatched(program, words);
      await run.seen(pattern);
      process.kill(run.process.pid, signal);
      assert.equal((await run.process.ended).code, code);
      await assertNothingRuns();
    });
  }

  for (const [what, words, pattern] of [
    ['test', ['test', '--', 'parts'], DATABASE],
    ['exec', ['exec', '-c', `mocha ${TESTS}`], CONTROL_PLANE],
  ] as const) {
    it(`by SIGTERM to npm ${what}, which passes it on to nobody, leaves nothing running`, async () => {
      const npm = process.env['npm_execpath'];
      assert.ok(npm, 'Start the tests by npm.');
      run = await startWatched(npm, words);
      await run.seen(pattern);
      process.kill(run.process.pid, 'SIGTERM');
      await run.process.ended;
      await assertNothingRuns();
    });
  }
});
