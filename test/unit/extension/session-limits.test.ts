import assert from 'node:assert/strict';

import { hostTrust } from '../../../src/databricks/index.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/time.ts';
import { mementoLastUse } from '../../../src/extension/authentication/memento-last-use.ts';
import { Connection } from '../../../src/extension/connection/connection.ts';
import { PinBoard } from '../../../src/extension/connection/pinned-trust.ts';
import { SessionLimitWatch } from '../../../src/extension/connection/session-limits.ts';
import { memoryAccountStores, overLimit, processRefreshLock } from '../../../src/identity/index.ts';
import type { SessionLimits } from '../../../src/protocol/configuration.ts';
import { actFrom, storeOf } from './account-stores.ts';
import { ANA_SESSION, TRUST } from './views.ts';

const START = ANA_SESSION.accessTokenExpiresAtMs - HOUR_MS;

describe('the limits of sessions in the editor', () => {
  let nowMs: number;
  let isActive: boolean;
  let tick: () => void;
  let memory: Map<string, unknown>;
  let stores: ReturnType<typeof memoryAccountStores>;

  beforeEach(() => {
    nowMs = START;
    isActive = false;
    memory = new Map();
    stores = memoryAccountStores();
  });

  async function openWindow(
    sessions: SessionLimits,
  ): Promise<{ connection: Connection; watch: SessionLimitWatch }> {
    const memento = {
      get: (key: string): unknown => memory.get(key),
      update: (key: string, value: unknown) => Promise.resolve(void memory.set(key, value)),
    };
    const pins = new PinBoard(memento);
    await pins.write('https://oam.example.com', { ...TRUST, sessions });
    await actFrom(stores, { ...ANA_SESSION, refreshToken: undefined, beganAtMs: START });
    const connection = new Connection({
      trust: () => hostTrust([]),
      address: () => 'https://oam.example.com',
      pins,
      stores: () => stores,
      lock: processRefreshLock,
      transport: () => assert.fail('nothing is to be sent'),
      confirmChange: () => assert.fail('nobody is to be asked'),
      clock: { nowMs: () => nowMs },
      logger: silentLogger,
      redactor: createRedactor(),
    });
    const watch = new SessionLimitWatch({
      connection,
      lastUse: mementoLastUse(memento, 'm', silentLogger),
      isActive: () => isActive,
      clock: { nowMs: () => nowMs },
      logger: silentLogger,
      later: (work) => {
        tick = work;
        return { dispose: () => undefined };
      },
    });
    await connection.start();
    return { connection, watch };
  }

  /** Lets so much time pass, looking every half minute. */
  function pass(ms: number): void {
    for (const end = nowMs + ms; nowMs < end;) {
      nowMs += MINUTE_MS / 2;
      tick();
    }
  }

  const reasonOf = ({ state }: Connection): string | undefined =>
    state.kind === 'signedOut' ? `${state.reason?.sentence ?? ''} ${state.reason?.detail ?? ''}` : undefined;

  it('end a session that was idle, say so, and forget it', async () => {
    const { connection } = await openWindow({ idleMinutes: 30 });
    pass(29 * MINUTE_MS);
    assert.equal(connection.state.kind, 'signedIn');
    pass(MINUTE_MS);
    assert.equal(
      reasonOf(connection),
      'Your company ends sessions that are not used for a while. Sign in again. 30 min',
    );
    await new Promise(setImmediate);
    assert.equal(await storeOf(stores, ANA_SESSION).read(), undefined);
    await assert.rejects(connection.subjectToken(), (error) => hasCode(error, 'session_over_limit'));
    assert.deepEqual(
      connection.accounts.map(({ userName, session }) => [userName, session]),
      [[ANA_SESSION.userName, undefined]],
    );
  });

  it('do not end one that is used, here or in another window', async () => {
    const here = await openWindow({ idleMinutes: 30 });
    isActive = true;
    pass(50 * MINUTE_MS);
    isActive = false;
    assert.equal(here.connection.state.kind, 'signedIn');
    memory.set('used:m', nowMs + 20 * MINUTE_MS);
    pass(45 * MINUTE_MS);
    assert.equal(here.connection.state.kind, 'signedIn');
  });

  it('end one to which somebody comes back too late: coming back does not make it good', async () => {
    const { connection, watch } = await openWindow({ idleMinutes: 30 });
    watch.acted();
    // The machine slept.
    nowMs += 2 * HOUR_MS;
    watch.acted();
    assert.equal(connection.state.kind, 'signedOut');
  });

  it('end one that was left while the editor was closed', async () => {
    memory.set('used:m', START - HOUR_MS);
    const { connection } = await openWindow({ idleMinutes: 30 });
    assert.equal(connection.state.kind, 'signedOut');
  });

  it('end one so long after the sign-in, however much it is used', async () => {
    const { connection } = await openWindow({ absoluteHours: 2 });
    isActive = true;
    pass(2 * HOUR_MS - MINUTE_MS);
    assert.equal(connection.state.kind, 'signedIn');
    pass(MINUTE_MS);
    assert.equal(reasonOf(connection), 'Your company ends sessions after a while. Sign in again. 2 h');
  });

  it('end nothing where there are none', async () => {
    const { connection } = await openWindow({});
    pass(3 * HOUR_MS);
    assert.equal(connection.state.kind, 'signedIn');
    assert.equal(
      overLimit({ absoluteHours: 1 }, { beganAtMs: undefined, usedAtMs: 0 }, 2 * HOUR_MS),
      undefined,
    );
  });
});
