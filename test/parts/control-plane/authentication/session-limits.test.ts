import assert from 'node:assert/strict';

import { forgetOldSessions } from '../../../../src/control-plane/authentication/session-limits.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../../src/domain/time.ts';
import { createControlPlaneClient } from '../../../../src/protocol/client.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const seconds = (ms: number): number => Math.floor(ms / 1000);

describe('the limits of sessions', function () {
  this.timeout(30_000);
  let world: World;
  afterEach(() => world.close());

  const signedInNow = async (sid: string): Promise<Record<string, unknown>> => ({
    sid,
    auth_time: seconds(await world.store.nowMs()),
  });

  it('are published, and end a session so long after the sign-in, however much it is used', async () => {
    world = await startWorld({ sessions: { absoluteHours: 2 } });
    const open = createControlPlaneClient({
      baseUrl: world.url,
      accessToken: () => Promise.resolve(undefined),
      transport: axiosTransport(),
    });
    assert.deepEqual((await open.call('getConfiguration')).sessions, { absoluteHours: 2 });
    const ana = world.client('ana', await signedInNow('s1'));
    for (let halfHour = 0; halfHour < 4; halfHour++) {
      await ana.call('getMe');
      await world.advance(HOUR_MS / 2);
    }
    const problem = await refused(ana.call('getMe'), 'session_over_limit');
    assert.equal(problem.status, 401);
    assert.equal(problem.detail, 'Sign in again. Your company ends sessions after: 2 h');
    // The provider may go on with its session; the person has shown anew who they are.
    await world.client('ana', await signedInNow('s1')).call('getMe');
    await refused(ana.call('getMe'), 'session_over_limit');
  });

  it('go by what is first seen of a session where the token does not say when it began', async () => {
    world = await startWorld({ sessions: { absoluteHours: 1 } });
    const ana = world.client('ana', { sid: 's1' });
    await ana.call('getMe');
    await world.advance(HOUR_MS);
    await refused(ana.call('getMe'), 'session_over_limit');
    // A provider that keeps its session for a year does not make a new one of it.
    await world.advance(365 * DAY_MS);
    await forgetOldSessions(world.store.db);
    await refused(ana.call('getMe'), 'session_over_limit');
    await world.client('ana', { sid: 's2' }).call('getMe');
    // Of tokens that name neither, nothing can be told; the editor holds its own session to the limits.
    await world.client('ana').call('getMe');
  });

  it('end a session that nobody used, for good, and not one that is used', async () => {
    world = await startWorld({ sessions: { idleMinutes: 30 } });
    const [used, idle] = [await signedInNow('used'), await signedInNow('idle')];
    await world.client('ana', idle).call('getMe');
    for (let round = 0; round < 3; round++) {
      await world.client('ana', used).call('getMe');
      await world.advance(20 * MINUTE_MS);
    }
    const problem = await refused(world.client('ana', idle).call('getMe'), 'session_over_limit');
    assert.equal(problem.detail, 'Sign in again. Your company ends sessions that are not used for: 30 min');
    await refused(world.client('ana', idle).call('getMe'), 'session_over_limit');
    await world.client('ana', used).call('getMe');
  });

  it('let what hangs on a grant go on until the grant ends, which is no use of the session', async () => {
    world = await startWorld({ sessions: { idleMinutes: 30, absoluteHours: 1 } });
    const claims = await signedInNow('night');
    const ana = world.client('ana', claims);
    const id = grantOf(await world.ask('ana', 'recsys-endpoint-query', 120));
    await world.until(id, 'active');
    await ana.call('getMe');
    for (let round = 0; round < 2; round++) {
      await world.advance(20 * MINUTE_MS);
      assert.equal((await ana.call('getGrant', { params: { id } })).state, 'active');
    }
    await refused(ana.call('getMe'), 'session_over_limit');
    await world.advance(30 * MINUTE_MS);
    assert.equal((await ana.call('getGrant', { params: { id } })).state, 'active');
    await ana.call('returnGrant', { params: { id } });
    // Signing out gives back what the session was issued, whether or not it is over already.
    await ana.call('returnCredentials', { body: { session: 'the-sign-in-of-the-night' } });
  });
});
