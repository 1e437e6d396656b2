import assert from 'node:assert/strict';

import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-endpoint-query';
const GROUP = SEED.jitGroups.endpointQuery.id;

describe('an access', function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const active = async (): Promise<string> => {
    const id = grantOf(await world.ask('ana', ROLE, 60));
    await world.until(id, 'active');
    return id;
  };

  it('that is returned early is gone for real, and can be asked for again', async () => {
    const id = await active();
    const ana = world.client('ana');
    const returned = await ana.call('returnGrant', { params: { id }, idempotencyKey: 'back' });
    assert.equal(returned.state, 'revoking');
    assert.equal(
      (await ana.call('returnGrant', { params: { id }, idempotencyKey: 'back' })).version,
      returned.version,
    );
    await refused(ana.call('returnGrant', { params: { id } }), 'grant_not_active');
    const ended = await world.until(id, 'ended');
    assert.equal(ended.endReason, 'returned');
    assert.equal(ended.revocation, null);
    assert.ok(ended.membershipAbsentAt);
    assert.deepEqual(world.databricks.members(GROUP), []);
    await active();
    assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);
  });

  it('that is asked for again while it ends is not taken away by its own past', async () => {
    const first = await active();
    const ana = world.client('ana');
    await ana.call('returnGrant', { params: { id: first } });
    const second = await active();
    await world.until(first, 'ended');
    assert.equal((await world.until(second, 'active')).state, 'active');
    assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);
  });

  it('is revoked by a lead of its team, and by nobody else', async () => {
    const id = await active();
    const revoke = { params: { id }, body: { reason: 'Incident 42' } };
    await refused(world.client('omar').call('revokeGrant', revoke), 'not_found');
    await refused(world.client('omar').call('returnGrant', { params: { id } }), 'not_found');
    await refused(world.client('aude').call('revokeGrant', revoke), 'not_allowed');
    await refused(world.client('ana').call('revokeGrant', revoke), 'not_allowed');
    await refused(world.client('lena').call('returnGrant', { params: { id } }), 'not_allowed');
    await refused(world.client('lena').call('revokeGrant', { ...revoke, version: 1 }), 'precondition_failed');
    const { items } = await world
      .client('lena')
      .call('listGrants', { query: { scope: 'team', open: 'true' } });
    assert.deepEqual(
      items.map((grant) => grant.id),
      [id],
    );
    await world.client('lena').call('revokeGrant', revoke);
    const ended = await world.until(id, 'ended');
    assert.equal(ended.endReason, 'revoked');
    // Its holder reads who ended it, and why.
    assert.deepEqual(
      [ended.revocation?.by?.displayName, ended.revocation?.reason],
      [PEOPLE.lena.displayName, 'Incident 42'],
    );
    const trail = await world.client('aude').call('listAudit', { query: { grantId: id } });
    assert.ok(trail.items.some((row) => row.detail['reason'] === 'Incident 42'));
    await refused(world.client('ana').call('listAudit'), 'not_allowed');
  });

  it('is not revoked for a reason that the record cannot hold', async () => {
    const id = await active();
    for (const reason of ['Incident \ud800', 'Incident \0']) {
      const lena = world.client('lena');
      await refused(lena.call('revokeGrant', { params: { id }, body: { reason } }), 'bad_request');
    }
    assert.equal((await world.until(id, 'active')).state, 'active');
    await world.client('lena').call('revokeGrant', { params: { id }, body: { reason: 'Incident 🙈' } });
    await world.until(id, 'ended');
    const trail = await world.client('aude').call('listAudit', { query: { grantId: id } });
    assert.ok(trail.items.some((row) => row.detail['reason'] === 'Incident 🙈'));
  });

  it('that is returned before anything was written ends without a write', async () => {
    world.databricks.tune({ failNext: { status: 503, count: 1_000 } });
    const id = grantOf(await world.ask('ana', ROLE));
    await world.client('ana').call('returnGrant', { params: { id } });
    await world.until(id, 'ended');
    assert.deepEqual(world.databricks.members(GROUP), []);
  });

  it('is taken back by whoever decided on it before something stood in its way', async () => {
    world.databricks.tune({ failNext: { status: 503, count: 1_000 } });
    const ana = world.client('ana');
    const id = grantOf(await world.ask('ana', ROLE));
    const seen = await ana.call('getGrant', { params: { id } });
    let now = seen;
    while (now.trouble === null) now = await ana.call('getGrant', { params: { id } });
    assert.equal(now.state, seen.state);
    assert.equal(
      (await ana.call('returnGrant', { params: { id }, version: seen.version })).state,
      'revoking',
    );
  });
});
