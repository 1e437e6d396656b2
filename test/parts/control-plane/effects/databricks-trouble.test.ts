import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { administrator } from '../administrator.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-endpoint-query';
const GROUP = SEED.jitGroups.endpointQuery.id;
const GROUPS = /scim\/v2\/Groups/;

describe('while Databricks is in trouble', function () {
  this.timeout(30_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const patches = () =>
    world.databricks
      .requests()
      .filter((request) => request.method === 'PATCH' && request.path.includes('scim/v2/Groups'));

  it('access comes late, and says active only when a read shows it', async () => {
    world.databricks.tune({ membershipLagMs: 700 });
    const start = performance.now();
    const id = grantOf(await world.ask('ana', ROLE));
    const waiting = await world.until(id, 'provisioning', 'active');
    assert.equal(waiting.state, 'provisioning');
    assert.equal(waiting.membershipPresentAt, null);
    await world.until(id, 'active');
    assert.ok(performance.now() - start >= 690);
    assert.equal(patches().length, 1, 'a write that was taken is not repeated while reads catch up');
  });

  it('throttled and failing calls are repeated, and an answer that was lost does no harm', async () => {
    world.databricks.tune({
      failNext: { status: 429, count: 1, path: GROUPS, method: 'PATCH', retryAfterSeconds: 1 },
    });
    const first = grantOf(await world.ask('ana', ROLE));
    await world.until(first, 'active');
    const [throttled, repeated] = patches();
    assert.equal(throttled?.status, 429);
    assert.ok((repeated?.atMs ?? 0) - (throttled?.atMs ?? 0) >= 1_000, 'Retry-After was undercut');

    world.databricks.tune({
      failNext: { status: 0, count: 1, path: GROUPS, method: 'PATCH', when: 'after' },
    });
    await world.client('ana').call('returnGrant', { params: { id: first } });
    await world.until(first, 'ended');
    assert.deepEqual(world.databricks.members(GROUP), []);
  });

  /** Returns what the trail says of a removal that Databricks answers six times with a status. */
  async function stuckBy(status: number) {
    const id = grantOf(await world.ask('ana', ROLE));
    await world.until(id, 'active');
    world.databricks.tune({ failNext: { status, count: 6, path: GROUPS, method: 'PATCH' } });
    // The pauses between the tries are skipped by making each due at once.
    const hurry = setInterval(() => {
      void sql`update oam.effect set next_attempt_at = oam.now() where state = 'due'`
        .execute(world.store.db)
        .catch(() => undefined);
    }, 20);
    try {
      await world.client('ana').call('returnGrant', { params: { id } });
      const stuck = await world.until(id, 'revoke_stuck', 'ended');
      if (stuck.state === 'revoke_stuck') assert.ok(stuck.trouble);
      await world.until(id, 'ended');
    } finally {
      clearInterval(hurry);
    }
    assert.deepEqual(world.databricks.members(GROUP), []);
    const { items } = await world.client('aude').call('listAudit', { query: { grantId: id } });
    return items.find((row) => row.event === 'grant.revoke_stuck') ?? assert.fail('It was not called stuck.');
  }

  it('a removal that fails again and again is called stuck, says why, and is done in the end', async () => {
    const { detail } = await stuckBy(500);
    assert.ok(detail['trouble']);
  });

  it('a removal that OAM is refused is said so, not as if its holder were', async () => {
    const { detail } = await stuckBy(403);
    assert.match(
      String(detail['trouble']),
      /^Databricks does not let OAM change the group .* Tell your admin/,
    );
  });

  it('a member that comes back between the two reads is removed again', async () => {
    await world.close();
    world = await startWorld({ absenceConfirmMs: 2_000 });
    const admin = await administrator(world);
    const id = grantOf(await world.ask('ana', ROLE));
    await world.until(id, 'active');
    await world.client('ana').call('returnGrant', { params: { id } });
    const { db } = world.store;
    for (;;) {
      const row = await db
        .selectFrom('effect')
        .selectAll()
        .where('kind', '=', 'remove_member')
        .executeTakeFirst();
      if (row !== undefined && row.first_absent_at !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await admin.addGroupMembers(GROUP, [SEED.users.ana.id]);
    assert.equal(
      (await world.until(id, 'revoking', 'ended')).state,
      'revoking',
      'the member came back too late',
    );
    await world.until(id, 'ended');
    assert.deepEqual(world.databricks.members(GROUP), []);
  });
});

describe('a group that is not OAM’s alone', function () {
  this.timeout(30_000);

  it('is not written to: the role is unavailable and says why, until somebody mends it', async () => {
    const world = await startWorld({
      beforeStart: async (w) => {
        const admin = await administrator(w);
        await admin.addGroupMembers(GROUP, [SEED.users.omar.id]);
      },
    });
    try {
      const outlook = async () => {
        const { items } = await world.client('ana').call('listRoles');
        return items.find((role) => role.id === ROLE)?.outlook;
      };
      while ((await outlook())?.kind !== 'unavailable')
        await new Promise((resolve) => setTimeout(resolve, 10));
      const problem = await refused(world.ask('ana', ROLE), 'role_unavailable');
      assert.match(problem.detail, /whom OAM did not add/);
      const admin = await administrator(world);
      await admin.removeGroupMembers(GROUP, [SEED.users.omar.id]);
      await world.store.advance(31_000);
      while ((await outlook())?.kind !== 'granted_at_once')
        await new Promise((resolve) => setTimeout(resolve, 10));
      await world.until(grantOf(await world.ask('ana', ROLE)), 'active');
    } finally {
      await world.close();
    }
  });
});

describe('while the audit trail cannot be written', function () {
  this.timeout(30_000);

  it('nothing is granted, and access still ends; the record follows', async () => {
    const world = await startWorld();
    try {
      const held = grantOf(await world.ask('ana', ROLE));
      await world.until(held, 'active');
      await sql`
        create function oam.no_audit() returns trigger language plpgsql as
          $$ begin raise exception 'the trail is full'; end $$`.execute(world.store.db);
      await sql`create trigger no_audit before insert on oam.audit execute function oam.no_audit()`.execute(
        world.store.db,
      );
      const problem = await refused(world.ask('omar', 'platform-cluster-operator'), 'audit_unavailable');
      assert.equal(problem.status, 503);
      assert.deepEqual((await world.client('omar').call('listGrants')).items, []);

      await world.client('ana').call('returnGrant', { params: { id: held } });
      await world.until(held, 'ended');
      assert.deepEqual(world.databricks.members(GROUP), []);

      await sql`drop trigger no_audit on oam.audit`.execute(world.store.db);
      for (;;) {
        const { items } = await world.client('aude').call('listAudit', { query: { grantId: held } });
        const seen = items.filter((row) => row.sequence !== null).map((row) => row.event);
        if (seen.includes('grant.revoking') && seen.includes('grant.ended')) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      await world.close();
    }
  });
});
