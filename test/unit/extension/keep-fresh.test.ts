import assert from 'node:assert/strict';

import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { Changes } from '../../../src/extension/changes.ts';
import type { ConnectionState } from '../../../src/extension/connection/connection.ts';
import { KeepFresh } from '../../../src/extension/connection/keep-fresh.ts';

describe('a session that nobody asks for', () => {
  const changes = new Changes<ConnectionState>();
  let nowMs: number;
  let dueAtMs: number | undefined;
  let refreshed: number[];
  let answer: () => Promise<void>;
  let planned: { work: () => void; atMs: number }[];
  let keeping: KeepFresh;

  beforeEach(() => {
    nowMs = 1_000_000;
    dueAtMs = undefined;
    refreshed = [];
    planned = [];
    answer = () => {
      dueAtMs = nowMs + 540_000;
      return Promise.resolve();
    };
    keeping = new KeepFresh({
      connection: {
        onDidChange: changes.on,
        get refreshAtMs() {
          return dueAtMs;
        },
        refresh: () => {
          refreshed.push(nowMs);
          return answer();
        },
      },
      clock: { nowMs: () => nowMs },
      logger: silentLogger,
      later: (work, delayMs) => {
        const entry = { work, atMs: nowMs + delayMs };
        planned.push(entry);
        return { dispose: () => void (planned = planned.filter((other) => other !== entry)) };
      },
    });
  });
  afterEach(() => keeping.dispose());

  function signIn(forMs: number): void {
    dueAtMs = nowMs + forMs;
    changes.fire({ kind: 'starting', url: 'https://oam.example.com' });
  }

  /** Lets time pass, and all timers that end meanwhile. */
  async function pass(ms: number): Promise<void> {
    const untilMs = nowMs + ms;
    for (;;) {
      const next = planned.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > untilMs) break;
      planned.shift();
      nowMs = next.atMs;
      next.work();
      await new Promise((resolve) => setImmediate(resolve));
    }
    nowMs = untilMs;
  }

  it('is refreshed when it is due, again and again, and no more often', async () => {
    assert.equal(planned.length, 0);
    signIn(540_000);
    await pass(539_000);
    assert.deepEqual(refreshed, []);
    await pass(1_000);
    assert.deepEqual(refreshed, [1_540_000]);
    await pass(540_000);
    assert.deepEqual(refreshed, [1_540_000, 2_080_000]);
    assert.equal(planned.length, 1);
  });

  it('is left alone where another window has refreshed it', async () => {
    signIn(100_000);
    await pass(50_000);
    signIn(540_000);
    await pass(500_000);
    assert.deepEqual(refreshed, []);
  });

  it('is tried again, ever more seldom, while the network is away', async () => {
    answer = () => Promise.reject(new OamError('identity_provider_unavailable', 'Away.'));
    signIn(10_000);
    await pass(10_000 + 30_000 + 60_000 + 120_000 + 240_000 + 300_000 + 300_000);
    assert.deepEqual(
      refreshed.map((at, index) => at - (refreshed[index - 1] ?? 1_000_000)),
      [10_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000],
    );
  });

  it('is not asked for every second where the provider gives the same token again', async () => {
    answer = () => Promise.resolve();
    signIn(0);
    await pass(90_000);
    assert.equal(refreshed.length, 2);
  });

  it('is nobody’s business once they have signed out', async () => {
    signIn(10_000);
    dueAtMs = undefined;
    changes.fire({ kind: 'signedOut', url: 'https://oam.example.com', expired: false });
    await pass(600_000);
    assert.deepEqual(refreshed, []);
    assert.equal(planned.length, 0);
  });

  it('starts nothing more when the window closes', async () => {
    signIn(10_000);
    keeping.dispose();
    await pass(600_000);
    assert.deepEqual(refreshed, []);
  });
});
