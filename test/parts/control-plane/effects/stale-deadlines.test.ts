import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { createAuditDebt } from '../../../../src/control-plane/audit/debt.ts';
import { dueAdditions } from '../../../../src/control-plane/effects/due.ts';
import { handOver } from '../../../../src/control-plane/effects/hand-over.ts';
import { sawPresent } from '../../../../src/control-plane/effects/outcome.ts';
import { type Logger, silentLogger } from '../../../../src/domain/logger.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import { MINUTE_MS } from '../../../../src/domain/time.ts';
import type { HttpRequest } from '../../../../src/protocol/transport.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { administrator } from '../administrator.ts';
import { freshStore, type TestStore } from '../database.ts';
import { grantOf, startWorld, type World, type WorldOptions } from '../world.ts';
import { otherGuard, wayTo } from './cut-off.ts';

const ROLE = 'recsys-endpoint-query';
const GROUP = SEED.jitGroups.endpointQuery.id;
const ANA = SEED.users.ana.id;

/** Long before the deadlines would be loaded again. */
const SOON_MS = 1_500;

const isRemoval = ({ method, body }: HttpRequest): boolean =>
  method === 'PATCH' && JSON.stringify(body ?? '').includes('remove');

describe('a guard that knows the deadlines of a moment ago', function () {
  this.timeout(60_000);
  let world: World;
  afterEach(() => world.close());

  const begin = async (options: WorldOptions = {}): Promise<void> => {
    world = await startWorld({ reconciler: { everySeconds: 3_600 }, ...options });
    world.databricks.tune({ limits: { 'account-scim-write': null } });
  };
  const given = async (): Promise<string> => {
    const id = grantOf(await world.ask('ana', ROLE, 30));
    await world.until(id, 'active');
    return id;
  };
  const endsSoon = (...ids: readonly string[]): Promise<unknown> =>
    sql`update oam.access_grant
      set deadline_at = present.now + ${SOON_MS} * interval '1 millisecond' from (select oam.now() as now) present
      where id = any(${ids}::uuid[])`.execute(world.store.db);
  const members = () => world.databricks.members(GROUP);
  const eventually = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    const start = performance.now();
    while (!(await holds())) {
      if (performance.now() - start > 20_000) throw new Error(`This does not come to be: ${what}`);
      await delay(10);
    }
  };
  const losses = async (id: string): Promise<number> => {
    const { items } = await world.client('aude').call('listAudit', { query: { grantId: id, limit: 200 } });
    return items.filter(({ event }) => event === 'membership.lost').length;
  };

  it('takes nothing away that its own control plane gave since', async () => {
    const store = await freshStore();
    const way = wayTo(store.db);
    let cuts = 0;
    const logger: Logger = { ...silentLogger, error: () => (cuts += 1) };
    const onTheWay: TestStore = { ...store, db: way.db };
    await begin({ store: onTheWay, logger });
    const first = await given();
    await world.restart(undefined, async () => {
      await endsSoon(first);
    });
    await world.until(first, 'ended');
    const second = await given();

    way.isCut = true;
    cuts = 0;
    // The guard has looked what is due, and more than once.
    await eventually('trouble', () => cuts > 20);
    assert.deepEqual(members(), [ANA]);
    way.isCut = false;
    await world.until(second, 'active');
    assert.deepEqual(members(), [ANA]);
    assert.equal(await losses(second), 0);
    await world.client('ana').call('returnGrant', { params: { id: second } });
    await world.until(second, 'ended');
    assert.deepEqual(members(), []);
  });

  it('takes away nobody whom OAM was only about to add, and somebody else did', async () => {
    await begin();
    const body = { roleId: ROLE, purpose: 'Look into the drop in clicks', minutes: 30 };
    const lena = grantOf(
      await world.client('lena', { duty: 'data-scientist' }).call('createRequest', { body }),
    );
    await world.until(lena, 'active');
    const { db } = world.store;
    await eventually('a group that nobody writes to', async () => {
      const { numAffectedRows } = await sql`update oam.jit_group
        set lease_until = oam.now() + interval '1 hour', lease_holder = gen_random_uuid()
        where group_id = ${GROUP} and lease_until is null`.execute(db);
      return numAffectedRows === 1n;
    });
    const ana = grantOf(await world.ask('ana', ROLE, 30));
    await sql`update oam.access_grant set member_id = ${ANA} where id = ${ana}`.execute(db);
    await (await administrator(world)).addGroupMembers(GROUP, [ANA]);
    await endsSoon(lena, ana);

    await using other = otherGuard(world);
    await other.loaded();
    other.way.isCut = true;
    await eventually('the removal of what OAM added', () => !members().includes(SEED.users.lena.id));
    assert.deepEqual(members(), [ANA]);
    other.way.isCut = false;
    await sql`update oam.jit_group set lease_until = null where group_id = ${GROUP}`.execute(db);
    await world.until(lena, 'ended');
    await world.until(ana, 'failed');
    assert.deepEqual(members(), [ANA]);
  });

  it('of another replica puts back what was given meanwhile as soon as it can tell the store', async () => {
    await begin();
    const first = await given();
    await endsSoon(first);
    await using other = otherGuard(world);
    await other.loaded();
    await world.until(first, 'ended');
    const second = await given();

    other.way.isCut = true;
    await eventually('the removal', () => members().length === 0);
    other.way.isCut = false;
    await eventually('the membership', () => members().includes(ANA));
    await world.until(second, 'active');
    assert.equal(await losses(second), 1);
    // It takes it away once, also where the store goes away again before it has learned what is so.
    other.way.isCut = true;
    await delay(500);
    assert.deepEqual(members(), [ANA]);
  });

  it('and whose removal is still on its way when the store is back, puts back what it then takes', async () => {
    await begin();
    const first = await given();
    await endsSoon(first);
    const held = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<undefined>();
    await using other = otherGuard(world, async (request) => {
      if (!isRemoval(request)) return;
      begun.resolve(undefined);
      await held.promise;
    });
    await other.loaded();
    other.way.isCut = true;
    await begun.promise;
    other.way.isCut = false;
    // Whoever works with the store tells it first.
    await other.guard.settle();
    await world.until(first, 'ended');
    const second = await given();
    held.resolve(undefined);
    await eventually('the report', async () => (await losses(second)) > 0);
    await eventually('the membership', () => members().includes(ANA));
    assert.equal(await losses(second), 1);
  });

  it('is not contradicted by a read from before: what was seen then makes nothing active', async () => {
    await begin();
    const { db } = world.store;
    // Nobody serves the group but this test.
    await sql`update oam.jit_group set lease_until = oam.now() + interval '1 hour', lease_holder = gen_random_uuid()
      where group_id = ${GROUP}`.execute(db);
    const id = grantOf(await world.ask('ana', ROLE, 30));
    await sql`update oam.effect set begun_at = oam.now() where grant_id = ${id}`.execute(db);
    await sql`update oam.access_grant set state = 'provisioning', member_id = ${ANA} where id = ${id}`.execute(
      db,
    );
    const parts = {
      ...{ db, debt: createAuditDebt(world.dataFolder, silentLogger), logger: silentLogger },
      ...{ redactor: createRedactor(), absenceConfirmMs: 50, random: () => 0.5 },
    };
    const state = async () => (await world.client('ana').call('getGrant', { params: { id } })).state;

    const before = await dueAdditions(db, GROUP);
    assert.equal(before.length, 1);
    await tell(id, await world.store.nowMs());
    await sawPresent(parts, before);
    assert.equal(await state(), 'provisioning');
    await sawPresent(parts, await dueAdditions(db, GROUP));
    assert.equal(await state(), 'active');
  });

  it('and died before it could tell: the groups are looked at when a control plane begins', async () => {
    await begin();
    const id = await given();
    await world.restart(undefined, async () => {
      world.databricks.removeMember(GROUP, ANA);
      await world.store.db.updateTable('jit_group').set({ looked_at: null }).execute();
    });
    await eventually('a look', async () => {
      const row = await world.store.db
        .selectFrom('jit_group')
        .select('looked_at')
        .where('group_id', '=', GROUP)
        .executeTakeFirstOrThrow();
      return row.looked_at !== null;
    });
    // By then reads have had time to show what was given.
    await world.advance(MINUTE_MS);
    await eventually('the membership', () => members().includes(ANA));
    assert.equal(await losses(id), 1);
  });

  const tell = (id: string, atMs: number): Promise<void> =>
    handOver(
      {
        db: world.store.db,
        debt: createAuditDebt(world.dataFolder, silentLogger),
        logger: silentLogger,
      },
      [
        {
          ...{ grantIds: [id], groupId: GROUP, memberId: ANA },
          ...{ writtenAtMs: atMs, absentAtMs: atMs, isInDoubt: false },
        },
      ],
      50,
    );
});
