import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { watchKeychainSessions } from '../../../src/identity/index.ts';

describe('the watch of the sessions that programs share', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'oam-watch-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const untilTold = async (times: number, everyMs?: number, then?: () => Promise<void>): Promise<void> => {
    const told = Promise.withResolvers<void>();
    let count = 0;
    const watching = watchKeychainSessions(
      folder,
      () => {
        count += 1;
        if (count === times) told.resolve();
      },
      everyMs,
    );
    // Nothing else keeps this process alive.
    const alive = setInterval(() => undefined, 1000);
    await then?.();
    await told.promise;
    clearInterval(alive);
    watching[Symbol.dispose]();
  };

  it('tells of a change by another program', async () => {
    const sealed = path.join(folder, 'sealed');
    await mkdir(sealed);
    await untilTold(1, undefined, () => writeFile(path.join(sealed, 'a-session'), 'sealed'));
  });

  it('has its listener look again and again where the system gives none, until it is disposed', async () => {
    await untilTold(3, 1);
    let looks = 0;
    watchKeychainSessions(folder, () => (looks += 1), 1)[Symbol.dispose]();
    await delay(20);
    assert.equal(looks, 0);
  });
});
