import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import type { RequestFacts } from '../../../../src/control-plane/policy/facts.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../../src/domain/time.ts';
import type { GrantView, RequestView } from '../../../../src/protocol/schemas.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { withRole } from '../changed-role.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const AT_ONCE = 'recsys-endpoint-query';
const APPROVED = 'recsys-model-promote';
const GROUP = SEED.jitGroups.endpointQuery.id;

describe('access that begins later', function () {
  this.timeout(20_000);
  let world: World;
  let asked: RequestFacts[];
  beforeEach(async () => {
    asked = [];
    world = await startWorld({
      adjustPolicy: (policy) => ({
        ...policy,
        decideRequest(facts) {
          asked.push(facts);
          return policy.decideRequest(facts);
        },
      }),
    });
  });
  afterEach(() => world.close());

  const inMs = async (ms: number): Promise<string> =>
    new Date((await world.store.nowMs()) + ms).toISOString();

  const plan = async (startsAt: string, roleId = AT_ONCE): Promise<RequestView> =>
    world.client('ana').call('createRequest', {
      body: { roleId, purpose: 'The rehearsal on Monday', minutes: 60, startsAt },
    });

  const look = (id: string): Promise<GrantView> => world.client('aude').call('getGrant', { params: { id } });

  /** Ana comes back, and with her what her identity provider says of her now. */
  const anaIsBack = (claims?: Record<string, unknown>) => world.client('ana', claims).call('getMe');

  it('is committed to at once, and nothing is done before its start', async () => {
    const startsAt = await inMs(HOUR_MS);
    const request = await plan(startsAt);
    assert.deepEqual([request.state, request.startsAt], ['approved', startsAt]);
    const id = grantOf(request);
    await world.store.advance(50 * MINUTE_MS);
    await delay(150);
    const ahead = await look(id);
    assert.deepEqual([ahead.state, ahead.startsAt, ahead.activatedAt], ['scheduled', startsAt, null]);
    assert.deepEqual(world.databricks.members(GROUP), []);
    await refused(world.client('ana').call('extendGrant', { params: { id }, body: {} }), 'grant_not_active');

    await world.store.advance(11 * MINUTE_MS);
    await anaIsBack();
    const active = await world.until(id, 'active');
    assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);
    assert.ok(Date.parse(active.activatedAt ?? '') >= Date.parse(startsAt));
    assert.equal(Date.parse(active.endsAt ?? '') - Date.parse(active.activatedAt ?? ''), HOUR_MS);
  });

  it('is judged by the hour of its start', async () => {
    const startsAt = await inMs(5 * HOUR_MS);
    await plan(startsAt);
    assert.equal(asked.at(-1)?.hourUtc, new Date(startsAt).getUTCHours());
  });

  it('stands in the way of nothing that is asked for now, and keeps nothing that is over', async () => {
    const startsAt = await inMs(2 * HOUR_MS);
    const planned = grantOf(await plan(startsAt));
    await refused(plan(startsAt), 'already_held');
    const another = grantOf(await plan(await inMs(3 * HOUR_MS)));
    const now = grantOf(await world.ask('ana', AT_ONCE, 5));
    await world.until(now, 'active');
    await refused(world.ask('ana', AT_ONCE), 'already_held');
    await world.client('ana').call('returnGrant', { params: { id: now } });
    const ended = await world.until(now, 'ended');
    assert.ok(ended.membershipAbsentAt, 'the membership went, though a grant lies ahead');
    assert.deepEqual(world.databricks.members(GROUP), []);

    await world.store.advance(2 * HOUR_MS);
    await anaIsBack();
    await world.until(planned, 'active');
    // The second window begins within the first: the union of both keeps the membership.
    await world.client('ana').call('extendGrant', { params: { id: planned }, body: { minutes: 5 } });
    await world.store.advance(HOUR_MS + MINUTE_MS);
    await anaIsBack();
    await world.until(another, 'active');
    await world.store.advance(5 * MINUTE_MS);
    const { items } = await world.client('ana').call('listGrants', { query: { open: 'true' } });
    assert.ok(items.some(({ id, state }) => id === another && state === 'active'));
    assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);
  });

  it('waits for its holder to sign in, for as long as its window would have lasted', async () => {
    const [first, second] = [
      grantOf(await plan(await inMs(2 * HOUR_MS))),
      grantOf(await plan(await inMs(2 * HOUR_MS + 1_000), 'recsys-endpoint-query')),
    ];
    await world.store.advance(2 * HOUR_MS + 50 * MINUTE_MS);
    await delay(200);
    const waiting = await look(first);
    assert.equal(waiting.state, 'scheduled');
    assert.match(waiting.trouble ?? '', /Sign in again/);
    assert.deepEqual(world.databricks.members(GROUP), []);
    await world.client('ana').call('returnGrant', { params: { id: second } });
    await anaIsBack();
    await world.store.advance(2 * MINUTE_MS);
    await world.until(first, 'active');

    const third = grantOf(await plan(await inMs(5 * HOUR_MS)));
    await world.store.advance(6 * HOUR_MS + MINUTE_MS);
    const failed = await world.until(third, 'failed');
    assert.match(failed.trouble ?? '', /Sign in again|time passed/);
  });

  it('is given to nobody who may not have it any more when it begins', async () => {
    const id = grantOf(await plan(await inMs(HOUR_MS)));
    await world.store.advance(HOUR_MS);
    await anaIsBack({ groups: [] });
    const failed = await world.until(id, 'failed');
    assert.match(failed.trouble ?? '', /no longer allows/);
    assert.deepEqual(world.databricks.members(GROUP), []);
  });

  it('goes back to its approvers where the role changed meanwhile', async () => {
    const request = await plan(await inMs(HOUR_MS), APPROVED);
    const approved = await world.client('lena').call('approveRequest', {
      ...{ params: { id: request.id }, version: request.version, body: {} },
    });
    await world.restart(withRole(APPROVED, { gives: 'Everything' }));
    await world.store.advance(HOUR_MS);
    await anaIsBack();
    await world.until(grantOf(approved), 'failed');
    const again = await world.client('ana').call('getRequest', { params: { id: request.id } });
    assert.deepEqual([again.state, again.approvals], ['pending', []]);
  });

  it('is judged anew at its start, long after the request would have lapsed, with time for whoever has to answer', async () => {
    const promote = await plan(await inMs(3 * DAY_MS), APPROVED);
    const word = { params: { id: promote.id }, version: promote.version, body: {} };
    const approved = await world.client('lena').call('approveRequest', word);
    const query = await plan(await inMs(3 * DAY_MS));
    await world.restart((policy) =>
      withRole(APPROVED, { gives: 'Everything' })(withRole(AT_ONCE, { gives: 'Something else' })(policy)),
    );
    await world.store.advance(3 * DAY_MS);
    await anaIsBack();
    for (const id of [grantOf(approved), grantOf(query)]) await world.until(id, 'failed');

    const look = (id: string) => world.client('ana').call('getRequest', { params: { id } });
    const granted = await look(query.id);
    assert.equal(granted.state, 'approved');
    await world.until(grantOf(granted), 'active');
    const waiting = await look(promote.id);
    const again = { params: { id: promote.id }, version: waiting.version, body: {} };
    await world.until(grantOf(await world.client('lena').call('approveRequest', again)), 'active');
  });

  it('can be given back before it begins, and nothing is ever written for it', async () => {
    const id = grantOf(await plan(await inMs(HOUR_MS)));
    await world.client('ana').call('returnGrant', { params: { id } });
    const ended = await world.until(id, 'ended');
    assert.equal(ended.endReason, 'returned');
    await world.store.advance(2 * HOUR_MS);
    await anaIsBack();
    await delay(150);
    assert.deepEqual(world.databricks.members(GROUP), []);
  });

  it('begins within the next 30 days', async () => {
    for (const ms of [-1_000, 0, 30 * DAY_MS + MINUTE_MS]) {
      await refused(plan(await inMs(ms)), 'start_out_of_range');
    }
    await plan(await inMs(30 * DAY_MS - MINUTE_MS));
    await refused(plan('tomorrow'), 'bad_request');
  });
});
