import assert from 'node:assert/strict';

import { SEED } from '../../../src/sandbox/databricks/index.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import { assertTrailHolds } from './audit/trail.ts';
import { grantOf, startWorld, type World } from './world.ts';

describe('the path of one access', function () {
  this.timeout(20_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  it('goes from the request through the window to verified absence', async () => {
    const { id: group } = SEED.jitGroups.endpointQuery;
    const request = await world.ask('ana', 'recsys-endpoint-query', 5);
    assert.equal(request.state, 'approved');
    const active = await world.until(grantOf(request), 'active');
    assert.deepEqual(world.databricks.members(group), [SEED.users.ana.id]);
    assert.ok(active.membershipPresentAt);
    assert.ok(active.activatedAt && active.endsAt);
    assert.equal(Date.parse(active.endsAt) - Date.parse(active.activatedAt), 5 * MINUTE_MS);

    await world.store.advance(5 * MINUTE_MS);
    const ended = await world.until(grantOf(request), 'ended');
    assert.equal(ended.endReason, 'expired');
    assert.ok(ended.membershipAbsentAt && ended.membershipAbsentAt >= active.endsAt);
    assert.deepEqual(world.databricks.members(group), []);

    const { items } = await world.client('aude').call('listAudit', { query: { grantId: grantOf(request) } });
    assert.deepEqual(
      items
        .map((row) => row.event)
        .reverse()
        .sort(),
      [
        'effect.written',
        'effect.written',
        'grant.active',
        'grant.ended',
        'grant.provisioning',
        'grant.revoking',
        'grant.scheduled',
        'request.approved',
        'request.created',
      ],
    );
    await assertTrailHolds(world.store.db);
  });
});
