import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { hasCode } from '../../../src/domain/errors.ts';
import { fileRefreshLock, processRefreshLock, type RefreshLock } from '../../../src/identity/index.ts';

/** Lets several workers in at once if the lock does not hold, and says how many were in together at most. */
async function crowd(locks: readonly RefreshLock[]): Promise<number> {
  let inside = 0;
  let most = 0;
  await Promise.all(
    locks.map((lock) =>
      lock.withLock(async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
      }),
    ),
  );
  return most;
}

describe('the refresh lock', function () {
  this.timeout(20_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'oam-lock-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('lets one in at a time, within a window and between windows', async () => {
    const shared = path.join(folder, 'made', 'on-demand');
    const one = fileRefreshLock(shared);
    assert.equal(await crowd([one, one, fileRefreshLock(shared), fileRefreshLock(shared)]), 1);
    const inProcess = processRefreshLock();
    assert.equal(await crowd([inProcess, inProcess, inProcess]), 1);
  });

  it('opens again after a failure', async () => {
    for (const lock of [fileRefreshLock(folder), processRefreshLock()]) {
      await assert.rejects(
        lock.withLock(() => Promise.reject(new Error('refused'))),
        /refused/,
      );
      assert.equal(await lock.withLock(() => Promise.resolve('in')), 'in');
    }
  });

  it('holds between processes', async () => {
    const log = path.join(folder, 'log');
    const script = path.join(folder, 'worker.mjs');
    await writeFile(
      script,
      `import { appendFileSync } from 'node:fs';
       import { fileRefreshLock } from ${JSON.stringify(new URL('../../../src/identity/index.ts', import.meta.url).href)};
       for (let round = 0; round < 3; round += 1) {
         await fileRefreshLock(process.argv[2]).withLock(async () => {
           appendFileSync(process.argv[3], 'in\\n');
           await new Promise((resolve) => setTimeout(resolve, 20));
           appendFileSync(process.argv[3], 'out\\n');
         });
       }`,
    );
    const run = promisify(execFile);
    await Promise.all(
      Array.from({ length: 3 }, () => run(process.execPath, [script, path.join(folder, 'shared'), log])),
    );
    assert.equal(await readFile(log, 'utf8'), 'in\nout\n'.repeat(9));
  });

  it('says so when another process holds it and does not finish', async () => {
    const held = Promise.withResolvers<undefined>();
    const entered = Promise.withResolvers<undefined>();
    const holder = fileRefreshLock(folder).withLock(() => {
      entered.resolve(undefined);
      return held.promise;
    });
    await entered.promise;
    await assert.rejects(
      fileRefreshLock(folder, { patienceMs: 100 }).withLock(() => assert.fail('two are in')),
      (error) => hasCode(error, 'session_locked'),
    );
    held.resolve(undefined);
    await holder;
  });

  it('does not keep anybody from working where nothing can be locked', async () => {
    const file = path.join(folder, 'a-file');
    await writeFile(file, '');
    assert.equal(await fileRefreshLock(path.join(file, 'below')).withLock(() => Promise.resolve('in')), 'in');
  });
});
