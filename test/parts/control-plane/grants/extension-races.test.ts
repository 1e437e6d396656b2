import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { MINUTE_MS } from '../../../../src/domain/time.ts';
import { ControlPlaneError } from '../../../../src/protocol/client.ts';
import type { GrantView, RequestView } from '../../../../src/protocol/schemas.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { grantOf, startWorld, type World } from '../world.ts';

const AT_ONCE = 'recsys-endpoint-query';
const APPROVED = 'recsys-model-promote';

const LIVE: readonly GrantView['state'][] = ['scheduled', 'provisioning', 'active'];

/** What lost a race is told so, in one of these ways. Anything else is a fault. */
const LOST = [
  'already_decided',
  'already_extended',
  'already_requested',
  'already_held',
  'grant_not_active',
  'precondition_failed',
];

describe('extensions in a race', function () {
  this.timeout(60_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const race = async (ways: Readonly<Record<string, () => Promise<unknown>>>): Promise<string[]> => {
    const shuffled = Object.entries(ways).sort(() => Math.random() - 0.5);
    const outcomes = await Promise.allSettled(shuffled.map(([, run]) => run()));
    return outcomes.flatMap((outcome, index) => {
      if (outcome.status === 'fulfilled') return [shuffled[index]?.[0] ?? ''];
      const reason: unknown = outcome.reason;
      assert.ok(reason instanceof ControlPlaneError && LOST.includes(reason.code), String(reason));
      return [];
    });
  };

  const grantsOfAna = async (): Promise<GrantView[]> =>
    (await world.client('ana').call('listGrants', { query: { limit: 200 } })).items;

  /** Ends what is live, so that the next round begins from nothing. */
  const clear = async (): Promise<void> => {
    for (const grant of (await grantsOfAna()).filter(({ state }) => LIVE.includes(state))) {
      try {
        await world.client('ana').call('returnGrant', { params: { id: grant.id } });
      } catch (error) {
        // Its deadline may have come since the list was read: it ends all the same.
        if (!(error instanceof ControlPlaneError) || error.problem.code !== 'grant_not_active') throw error;
      }
    }
    for (const grant of await grantsOfAna()) await world.until(grant.id, 'ended');
  };

  const expectChain = async (first: GrantView): Promise<GrantView[]> => {
    const chain = (await grantsOfAna()).filter(({ chainId }) => chainId === first.id);
    const byId = new Map(chain.map((grant) => [grant.id, grant]));
    for (const grant of chain) {
      if (grant.successor !== null) assert.equal(byId.get(grant.successor)?.extends, grant.id);
      assert.equal(grant.endReason === 'extended', grant.successor !== null);
    }
    assert.ok(chain.filter(({ state }) => LIVE.includes(state)).length <= 1);
    return chain;
  };

  it('between two extensions, a return and a revocation: one extension at most, and an end ends the chain', async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 12; round += 1) {
      const first = await world.until(grantOf(await world.ask('ana', AT_ONCE, 60)), 'active');
      const params = { id: first.id };
      const won = await race({
        extend: () => world.client('ana').call('extendGrant', { params, body: { minutes: 20 } }),
        leadExtends: () => world.client('lena').call('extendGrant', { params, body: { minutes: 30 } }),
        giveBack: () => world.client('ana').call('returnGrant', { params }),
        ...(round % 2 === 0 && {
          revoke: () => world.client('lena').call('revokeGrant', { params, body: { reason: 'Race' } }),
        }),
      });
      const extensions = won.filter((way) => way.toLowerCase().includes('extend')).length;
      const ends = won.filter((way) => way === 'giveBack' || way === 'revoke').length;
      assert.ok(extensions <= 1 && ends <= 1, won.join());
      const chain = await expectChain(first);
      assert.equal(chain.length, 1 + extensions);
      assert.equal(
        chain.some(({ state }) => LIVE.includes(state)),
        ends === 0,
      );
      seen.add(won.sort().join('+'));
      await clear();
      assert.deepEqual(world.databricks.members(SEED.jitGroups.endpointQuery.id), []);
    }
    assert.ok(seen.size > 1, 'the race always went the same way');
  });

  it('between approve, deny, cancel, return, revoke and expiry: one of them decides the request', async () => {
    const states = new Set<RequestView['state']>();
    for (let round = 0; round < 12; round += 1) {
      const asked = await world.ask('ana', APPROVED, 5);
      const lena = world.client('lena');
      const ana = world.client('ana');
      const approved = await lena.call('approveRequest', {
        ...{ params: { id: asked.id }, version: asked.version, body: {} },
      });
      const first = await world.until(grantOf(approved), 'active');
      const request = await ana.call('extendGrant', { params: { id: first.id }, body: { minutes: 2 } });
      const decision = { params: { id: request.id }, version: request.version };
      const won = await race({
        approve: () => lena.call('approveRequest', { ...decision, body: {} }),
        deny: () => lena.call('denyRequest', { ...decision, body: { reason: 'Race' } }),
        cancel: () => ana.call('cancelRequest', decision),
        ...(round % 3 === 0 && { giveBack: () => ana.call('returnGrant', { params: { id: first.id } }) }),
        ...(round % 3 === 1 && { expire: () => world.store.advance(5 * MINUTE_MS) }),
      });
      const decided = won.filter((way) => ['approve', 'deny', 'cancel'].includes(way));
      assert.ok(decided.length <= 1, won.join());
      let settled = await ana.call('getRequest', { params: { id: request.id } });
      for (let tries = 0; settled.state === 'pending' && tries < 200; tries += 1) {
        await delay(15);
        settled = await ana.call('getRequest', { params: { id: request.id } });
      }
      const expected =
        { approve: 'approved', deny: 'denied', cancel: 'cancelled' }[decided[0] ?? ''] ?? 'lapsed';
      assert.equal(settled.state, expected, won.join());
      states.add(settled.state);
      const chain = await expectChain(first);
      assert.equal(chain.length, settled.state === 'approved' ? 2 : 1);
      if (won.includes('giveBack')) assert.ok(chain.every(({ state }) => !LIVE.includes(state)));
      await clear();
      assert.deepEqual(world.databricks.members(SEED.jitGroups.modelPromote.id), []);
    }
    assert.ok(states.size > 1, 'the race always went the same way');
  });
});
