import assert from 'node:assert/strict';

import { startWorld, type World } from '../world.ts';

describe('what a request would meet', function () {
  this.timeout(20_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const outlook = (person: 'ana' | 'omar', id: string, minutes: number) =>
    world.client(person).call('getOutlook', { params: { id }, query: { minutes: String(minutes) } });

  it('is told for just the time that is asked for', async () => {
    const hour = await outlook('ana', 'recsys-endpoint-query', 60);
    assert.equal(hour.outlook.kind, 'granted_at_once');
    const week = await outlook('ana', 'recsys-endpoint-query', 10_080);
    assert.equal(week.outlook.kind, 'refused');
    assert.match(week.outlook.because.join(), /480 minutes at most, and this is for 10080/);
    const sensitive = await outlook('ana', 'recsys-model-promote', 30);
    assert.equal(sensitive.outlook.kind, 'needs_approval');
  });

  it('is what the request then meets', async () => {
    const told = await outlook('ana', 'recsys-model-promote', 30);
    const request = await world.ask('ana', 'recsys-model-promote', 30);
    assert.equal(request.state, 'pending');
    assert(told.outlook.kind === 'needs_approval');
    assert.deepEqual(told.outlook.stages, request.stages);
  });

  it('of a role of another team is told to nobody', async () => {
    await assert.rejects(outlook('omar', 'recsys-endpoint-query', 60), { code: 'unknown_role' });
    await assert.rejects(outlook('ana', 'no-such-role', 60), { code: 'unknown_role' });
    await assert.rejects(outlook('ana', 'recsys-endpoint-query', -1), { code: 'bad_request' });
  });

  it('comes with what each role gives on which assets, and through which group', async () => {
    const { items } = await world.client('ana').call('listRoles');
    const role = items.find(({ id }) => id === 'recsys-endpoint-query');
    assert.deepEqual(role?.rights, [{ kind: 'endpoints', name: 'recsys-ranker-prod', level: 'CAN_QUERY' }]);
    assert.equal(role.group, 'oam-jit-recsys-endpoint-query');
  });
});
