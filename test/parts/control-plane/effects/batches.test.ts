import assert from 'node:assert/strict';

import type { HttpRequest } from '../../../../src/protocol/transport.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import type { Role, Sensitivity } from '../../../../src/domain/role.ts';
import { giveGrants } from '../many-grants.ts';
import { startWorld, type World } from '../world.ts';

const QUERY = SEED.jitGroups.endpointQuery.id;

/** `count` ids from `first` on. */
function ids(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(first + index));
}

describe('grants that end at once', function () {
  this.timeout(30_000);
  let world: World;
  let writes: { group: string; members: string[] }[];

  const start = async (jitGroups: Parameters<typeof startWorld>[0] = {}) => {
    writes = [];
    world = await startWorld({
      ...jitGroups,
      beforeExchange: (request) => {
        if (request.method === 'PATCH') writes.push(writeOf(request));
        return Promise.resolve();
      },
    });
  };
  afterEach(() => world.close());

  const roleOf = (groupId: string): Role => {
    const role = world.policy.catalogue.roles.find(({ group }) => group.id === groupId);
    if (role === undefined) throw new TypeError(`No role has the group ${groupId}`);
    return role;
  };
  const end = async (role: Role, memberIds: readonly string[], endsAtMs: number): Promise<string[]> => {
    const host = world.databricks.workspaces.prod.host;
    return giveGrants(
      world.store.db,
      memberIds.map((memberId) => ({ role, host, memberId, endsAtMs })),
    );
  };
  const allEnded = async (grantIds: readonly string[]): Promise<void> => {
    for (;;) {
      const open = await world.store.db
        .selectFrom('access_grant')
        .select('id')
        .where('id', 'in', grantIds)
        .where('state', '<>', 'ended')
        .execute();
      if (open.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const readsOf = (groupId: string): number =>
    world.databricks
      .requests()
      .filter(({ method, path }) => method === 'GET' && path.endsWith(`/Groups/${groupId}`)).length;

  it('take one write for the many of a group, and one pair of reads', async () => {
    const members = ids(20_000, 250);
    await start({ seed: { jitGroups: [{ id: '9201', name: 'oam-jit-many', memberIds: members }] } });
    world.databricks.tune({ limits: { 'account-scim-write': null } });
    const role = { ...roleOf(QUERY), group: { id: '9201', name: 'oam-jit-many' } };
    await allEnded(await end(role, members, (await world.store.nowMs()) + 500));
    assert.deepEqual(world.databricks.members('9201'), []);
    const removed = writes.filter(({ group }) => group === '9201').map((write) => write.members.length);
    assert.equal(
      removed.reduce((sum, count) => sum + count, 0),
      250,
    );
    assert.ok(removed.every((count) => count <= 100));
    assert.ok(removed.length <= 5, `${removed.length} writes: ${removed.join(', ')}`);
    assert.ok(readsOf('9201') <= 7, `${readsOf('9201')} reads`);
  });

  it('do not wait for one of them that Databricks does not take', async () => {
    const sound = ids(20_000, 20);
    await start({ seed: { jitGroups: [{ id: '9201', name: 'oam-jit-many', memberIds: sound }] } });
    world.databricks.tune({ limits: { 'account-scim-write': null } });
    const role = { ...roleOf(QUERY), group: { id: '9201', name: 'oam-jit-many' } };
    const memberIds = [...sound.slice(0, 7), 'no-id-at-all', ...sound.slice(7)];
    const grants = await end(role, memberIds, (await world.store.nowMs()) + 500);
    const bad = grants[7] ?? '';
    await allEnded(grants.filter((id) => id !== bad));
    assert.deepEqual(world.databricks.members('9201'), []);
    const { state } = await world.store.db
      .selectFrom('access_grant')
      .select('state')
      .where('id', '=', bad)
      .executeTakeFirstOrThrow();
    assert.ok(state === 'revoking' || state === 'revoke_stuck', state);
  });

  it('end the riskiest first where Databricks lets only few writes through, with no false alarm', async () => {
    const SENSITIVITIES: readonly Sensitivity[] = ['low', 'high', 'medium'];
    const groups = ids(9_201, 9).map((id, index) => ({
      id,
      name: `oam-jit-${id}`,
      memberIds: ids(20_000 + index * 10, 3),
      sensitivity: SENSITIVITIES[index % 3] ?? 'low',
    }));
    await start({ seed: { jitGroups: groups } });
    world.databricks.tune({ limits: { 'account-scim-write': { calls: 2, perMs: 1_000 } } });
    const given: string[] = [];
    const endsAtMs = (await world.store.nowMs()) + 2_000;
    for (const { id, name, memberIds, sensitivity } of groups) {
      const role = { ...roleOf(QUERY), group: { id, name }, sensitivity };
      given.push(...(await end(role, memberIds, endsAtMs)));
    }
    await allEnded(given);
    const taken = world.databricks
      .requests()
      .filter(({ method, status }) => method === 'PATCH' && status === 204)
      .map(({ path, atMs }) => ({ group: path.split('/').at(-1) ?? '', atMs }));
    const order = taken.map(({ group }) => groups.find(({ id }) => id === group)?.sensitivity);
    assert.equal(order.length, 9);
    // The first two were sent with others at once, before the limit was known. From then on risk decides; a group that
    // is being served at that very moment can let one of the next rank pass.
    const later = order.slice(2);
    assert.ok(later.lastIndexOf('high') < later.indexOf('low'), order.join(', '));
    assert.ok(taken.every(({ atMs }) => atMs >= endsAtMs));
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    assert.ok(!items.some(({ event }) => event === 'grant.revoke_stuck'), 'patience was taken for trouble');
  });
});

function writeOf(request: HttpRequest): { group: string; members: string[] } {
  const members = [...(request.body ?? '').matchAll(/value eq \\"(\d+)\\"/g)].map(([, id]) => id ?? '');
  return { group: request.url.split('/').at(-1) ?? '', members };
}
