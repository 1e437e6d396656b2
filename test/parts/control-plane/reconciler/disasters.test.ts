import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { HOUR_MS, MINUTE_MS } from '../../../../src/domain/time.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { chainAll } from '../audit/trail.ts';
import { administrator } from '../administrator.ts';
import { grantOf, startWorld, type World, type WorldOptions } from '../world.ts';

const ROLE = 'recsys-endpoint-query';
const GROUP = SEED.jitGroups.endpointQuery.id;
const REMOVING = { removeStrangersFrom: [{ group: GROUP, graceMinutes: 240 }] };

describe('when something goes wrong around a group', function () {
  this.timeout(40_000);
  let world: World;
  afterEach(() => world.close());

  const begin = async (options: WorldOptions = {}): Promise<void> => {
    world = await startWorld({ reconciler: REMOVING, ...options });
  };
  const active = async (): Promise<string> => {
    const id = grantOf(await world.ask('ana', ROLE, 400));
    await world.until(id, 'active');
    return id;
  };
  const eventually = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    const start = performance.now();
    while (!(await holds())) {
      if (performance.now() - start > 15_000) throw new Error(`This does not come to be: ${what}`);
      await delay(30);
    }
  };
  const recorded = async (event: string): Promise<boolean> => {
    const row = await world.store.db
      .selectFrom('audit')
      .select('id')
      .where('event', '=', event)
      .executeTakeFirst();
    return row !== undefined;
  };
  /** Waits until the group was looked at once more. */
  const looked = async (times = 1): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      const before = await world.store.nowMs();
      await world.store.db
        .updateTable('jit_group')
        .set({ next_look_at: new Date(0) })
        .execute();
      await eventually('a look at the group', async () => {
        const row = await world.store.db
          .selectFrom('jit_group')
          .select('looked_at')
          .where('group_id', '=', GROUP)
          .executeTakeFirstOrThrow();
        return row.looked_at !== null && row.looked_at.getTime() >= before;
      });
    }
  };

  it('a typo in the catalogue names a real group of production: nobody in it loses anything', async () => {
    const people = [SEED.users.omar.id, SEED.users.lena.id, SEED.users.ana.id];
    await begin({
      beforeStart: async (parts) => {
        const admin = await administrator(parts);
        for (const person of people) await admin.addGroupMembers(GROUP, [person]);
      },
    });
    await eventually('the refusal of the group', () => recorded('group.refused'));
    await world.store.advance(10 * HOUR_MS);
    await delay(300);
    assert.deepEqual([...world.databricks.members(GROUP)].sort(), [...people].sort());
  });

  it("an administrator's emergency add while OAM was down is reported, and left alone for the grace", async () => {
    await begin();
    await active();
    const admin = await administrator(world);
    await world.restart(undefined, () => admin.addGroupMembers(GROUP, [SEED.users.omar.id]));
    await eventually('the report', () => recorded('stranger.appeared'));
    await world.store.advance(2 * MINUTE_MS);
    await looked(2);
    assert.ok(world.databricks.members(GROUP).includes(SEED.users.omar.id));
    await world.store.advance(4 * HOUR_MS);
    await looked(2);
    await eventually('the end after the grace', () =>
      Promise.resolve(!world.databricks.members(GROUP).includes(SEED.users.omar.id)),
    );
    assert.ok(world.databricks.members(GROUP).includes(SEED.users.ana.id));
    assert.ok(await recorded('stranger.removing'));
  });

  it('is only reported where removing was not switched on, however long it stays', async () => {
    await begin({ reconciler: {} });
    await active();
    const admin = await administrator(world);
    await admin.addGroupMembers(GROUP, [SEED.users.omar.id]);
    await eventually('the report', () => recorded('stranger.appeared'));
    await world.store.advance(5 * HOUR_MS);
    await looked(2);
    assert.ok(world.databricks.members(GROUP).includes(SEED.users.omar.id));
  });

  it('many strangers at once are an alarm, and nobody is removed', async () => {
    await begin();
    await active();
    const admin = await administrator(world);
    const { omar, lena, aude } = SEED.users;
    for (const { id } of [omar, lena, aude]) await admin.addGroupMembers(GROUP, [id]);
    await looked();
    await world.store.advance(5 * HOUR_MS);
    await looked(2);
    assert.equal(world.databricks.members(GROUP).length, 4);
    assert.ok(await recorded('group.alarm'));
    const metrics = await world.http({ method: 'GET', path: '/metrics' });
    assert.match(metrics.text, /^oam_strangers 3$/m);
    assert.match(metrics.text, /^oam_group_alarms 1$/m);
  });

  it('a second control plane on the same groups: neither takes away what the other gave', async () => {
    await begin({ reconciler: {} });
    await active();
    const other = await startWorld({ reconciler: {}, databricks: world.databricks });
    try {
      await eventually('the refusal by the second', async () => {
        const row = await other.store.db
          .selectFrom('jit_group')
          .select('adoption')
          .where('group_id', '=', GROUP)
          .executeTakeFirstOrThrow();
        return row.adoption === 'refused';
      });
      await other.store.advance(10 * HOUR_MS);
      await delay(200);
      assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);
    } finally {
      await other.close();
    }
  });

  it('two control planes that adopted the same group while it was empty: each reports what the other gave', async () => {
    await begin({ reconciler: {} });
    const other = await startWorld({ reconciler: {}, databricks: world.databricks });
    try {
      await eventually('both adoptions', async () => {
        const rows = await Promise.all(
          [world, other].map(({ store }) =>
            store.db
              .selectFrom('jit_group')
              .select('adoption')
              .where('group_id', '=', GROUP)
              .executeTakeFirst(),
          ),
        );
        return rows.every((row) => row?.adoption === 'adopted');
      });
      await active();
      await eventually('the report by the second', async () => {
        await other.store.db
          .updateTable('jit_group')
          .set({ next_look_at: new Date(0) })
          .execute();
        const row = await other.store.db
          .selectFrom('audit')
          .select('id')
          .where('event', '=', 'stranger.appeared')
          .executeTakeFirst();
        return row !== undefined;
      });
      await other.store.advance(10 * HOUR_MS);
      await delay(500);
      assert.deepEqual(world.databricks.members(GROUP), [SEED.users.ana.id]);
    } finally {
      await other.close();
    }
  });

  it('a membership that somebody took away is written again', async () => {
    await begin();
    await active();
    await world.store.advance(2 * MINUTE_MS);
    const admin = await administrator(world);
    await admin.removeGroupMembers(GROUP, [SEED.users.ana.id]);
    await eventually('the repair', async () => {
      await looked();
      return world.databricks.members(GROUP).includes(SEED.users.ana.id);
    });
    assert.ok(await recorded('membership.lost'));
  });

  it('a database is restored from an old backup: nobody loses what OAM did not give, and nothing taken back returns', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'oam-anchors-'));
    try {
      await begin({ audit: { anchors: { everySeconds: 1, standardOutput: false, folder } } });
      const { db } = world.store;
      const old = await active();
      await world.store.advance(2 * MINUTE_MS);
      // Before the chainer has been there, the backup would have no place that an anchor can be behind.
      await chainAll(db);
      // What the backup holds: Ana's grant is active. What happens after it: she gives it back, and Omar is let in by hand.
      const audit = await db.selectFrom('audit').selectAll().execute();
      const grant = await db
        .selectFrom('access_grant')
        .selectAll()
        .where('id', '=', old)
        .executeTakeFirstOrThrow();
      const last = await db
        .selectFrom('audit')
        .select(sql<number>`max(sequence)`.as('sequence'))
        .executeTakeFirstOrThrow();
      await world.client('ana').call('returnGrant', { params: { id: old } });
      await world.until(old, 'ended');
      const admin = await administrator(world);
      await admin.addGroupMembers(GROUP, [SEED.users.omar.id]);
      await eventually('an anchor of what the backup does not hold', async () => {
        const row = await db
          .selectFrom('audit_anchor')
          .select('sequence')
          .where('sequence', '>', last.sequence)
          .executeTakeFirst();
        return row !== undefined;
      });
      await delay(1_500);
      await world.restart(undefined, async () => {
        // The rows of the backup take the place of those that came after it.
        await db.deleteFrom('effect').where('kind', '=', 'remove_member').execute();
        await db.deleteFrom('stranger').execute();
        await db
          .deleteFrom('audit')
          .where(
            'id',
            'not in',
            audit.map((row) => row.id),
          )
          .execute();
        await db.deleteFrom('audit_anchor').where('sequence', '>', last.sequence).execute();
        // The store computes it.
        const { urgency, credential, ...stored } = grant;
        assert.deepEqual([urgency, credential], [2, 'member']);
        await db
          .updateTable('access_grant')
          .set({ ...stored, role: JSON.stringify(stored.role), reviewers: null })
          .where('id', '=', old)
          .execute();
        const head = audit.find((row) => row.sequence === last.sequence);
        await db
          .updateTable('audit_chain')
          .set({ sequence: last.sequence, hash: head?.hash ?? '' })
          .execute();
      });
      await eventually('the notice', () => recorded('store.restored'));
      await eventually('the end of what was given back before', async () => {
        await looked();
        return (await world.client('aude').call('getGrant', { params: { id: old } })).state === 'ended';
      });
      await world.store.advance(6 * HOUR_MS);
      await looked(2);
      assert.deepEqual(world.databricks.members(GROUP), [SEED.users.omar.id]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
