import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { createAuditDebt } from '../../../../src/control-plane/audit/debt.ts';
import { handOver } from '../../../../src/control-plane/effects/hand-over.ts';
import { type Logger, silentLogger } from '../../../../src/domain/logger.ts';
import type { Role } from '../../../../src/domain/role.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { giveGrants } from '../many-grants.ts';
import { ownStore, type OwnStore } from '../own-database.ts';
import { grantOf, startWorld, type World } from '../world.ts';

const GROUP = { id: '9201', name: 'oam-jit-outage' };

/** Whose access ends in the outage, whose is kept by another grant, and whose ends long after it. */
const [ENDS, KEPT, LATER] = ['20001', '20002', '20003'] as const;

const HOUR_MS = 3_600_000;

/** How late a membership may go. */
const ON_TIME_MS = 2_500;

describe('while the database is away', function () {
  this.timeout(60_000);
  let store: OwnStore;
  let world: World;
  let endsAtMs: number;
  let grants: Record<'ends' | 'kept' | 'later', string>;

  beforeEach(async () => {
    store = await ownStore();
    world = await startWorld({
      store,
      // The second look comes when what was seen has been told for certain.
      absenceConfirmMs: 2_000,
      seed: { jitGroups: [{ ...GROUP, memberIds: [ENDS, KEPT, LATER] }] },
      beforeStart: async ({ databricks, policy }) => {
        const [template] = policy.catalogue.roles;
        if (template === undefined) throw new TypeError('The catalogue has no role.');
        const role: Role = { ...template, id: 'outage', group: GROUP };
        const host = databricks.workspaces.prod.host;
        endsAtMs = (await store.nowMs()) + 8_000;
        const give = async (memberId: string, at: number, roleId = role.id): Promise<string> => {
          const [id] = await giveGrants(store.db, [
            { role: { ...role, id: roleId }, host, memberId, endsAtMs: at },
          ]);
          return id ?? '';
        };
        grants = {
          ends: await give(ENDS, endsAtMs),
          kept: await give(KEPT, endsAtMs),
          later: await give(LATER, endsAtMs + HOUR_MS),
        };
        await give(KEPT, endsAtMs + HOUR_MS, 'outage-too');
      },
    });
    // Until then the deadlines are loaded for certain.
    await delay(500);
  });
  afterEach(() => world.close());

  const members = () => [...world.databricks.members(GROUP.id)].sort();
  const goneAt = async (memberId: string): Promise<number> => {
    while (members().includes(memberId)) await delay(10);
    return Date.now();
  };

  it('access ends on time all the same, and what was seen is told when it is back', async () => {
    await delay(endsAtMs - Date.now() - 3_000);
    await store.stopServer();
    assert.ok(Date.now() < endsAtMs, 'the database went away too late');

    const goneAtMs = await goneAt(ENDS);
    assert.ok(goneAtMs >= endsAtMs - 50, `${endsAtMs - goneAtMs} ms too early`);
    assert.ok(goneAtMs <= endsAtMs + ON_TIME_MS, `${goneAtMs - endsAtMs} ms late`);
    assert.deepEqual(members(), [KEPT, LATER]);
    await delay(2_000);
    assert.deepEqual(members(), [KEPT, LATER], 'what is demanded beyond the deadline was taken away');

    await store.startServer();
    const backAtMs = Date.now();
    const ended = await world.until(grants.ends, 'ended');
    assert.equal(ended.endReason, 'expired');
    const absentAtMs = Date.parse(ended.membershipAbsentAt ?? '');
    assert.ok(
      absentAtMs >= endsAtMs - 50 && absentAtMs < backAtMs - 1_000,
      'the time is not that of the removal',
    );
    assert.ok(Math.abs(absentAtMs - goneAtMs) < 1_500, `${absentAtMs - goneAtMs} ms apart`);

    const trail = await events(grants.ends);
    const removed = trail.find(({ event }) => event === 'membership.removed_without_store');
    assert.equal(removed?.detail['absentAtMs'], absentAtMs);
    assert.equal(Date.parse(removed.at), absentAtMs);
    assert.ok(
      trail.some(
        ({ event, detail }) => event === 'grant.ended' && detail['membershipAbsentAtMs'] === absentAtMs,
      ),
    );

    const kept = await world.until(grants.kept, 'ended');
    assert.equal(kept.membershipAbsentAt, null);
    assert.equal((await world.until(grants.later, 'active')).state, 'active');
    assert.deepEqual(members(), [KEPT, LATER]);
  });

  it('also where it does not refuse but hangs', async () => {
    await delay(endsAtMs - Date.now() - 1_000);
    let goneAtMs: number;
    const frozen = await store.freezeServer();
    try {
      goneAtMs = await goneAt(ENDS);
      assert.ok(goneAtMs <= endsAtMs + ON_TIME_MS + 2_000, `${goneAtMs - endsAtMs} ms late`);
      await delay(1_000);
    } finally {
      frozen[Symbol.dispose]();
    }
    const ended = await world.until(grants.ends, 'ended');
    const absentAtMs = Date.parse(ended.membershipAbsentAt ?? '');
    assert.ok(Math.abs(absentAtMs - goneAtMs) < 1_500, `${absentAtMs - goneAtMs} ms apart`);
    await world.until(grants.kept, 'ended');
    assert.deepEqual(members(), [KEPT, LATER]);
  });

  const events = async (grantId: string) => {
    for (;;) {
      const { items } = await world.client('aude').call('listAudit', { query: { grantId, limit: 200 } });
      if (items.some(({ event }) => event.startsWith('membership.'))) return items;
      await delay(50);
    }
  };
});

describe('when the database is back', function () {
  this.timeout(30_000);

  it('a membership that a grant demands after all is put back', async () => {
    const world = await startWorld();
    try {
      const id = grantOf(await world.ask('ana', 'recsys-endpoint-query', 30));
      await world.until(id, 'active');
      const group = SEED.jitGroups.endpointQuery.id;
      const memberId = SEED.users.ana.id;
      const { db } = world.store;
      // As a control plane does that was cut off and did not know that the window had moved.
      world.databricks.removeMember(group, memberId);
      const absentAtMs = await world.store.nowMs();
      const errors: string[] = [];
      const logger: Logger = { ...silentLogger, error: (message) => errors.push(message) };
      await handOver(
        { db, debt: createAuditDebt(world.dataFolder, silentLogger), logger },
        [{ grantIds: [id], groupId: group, memberId, writtenAtMs: absentAtMs, absentAtMs, isInDoubt: false }],
        50,
      );
      assert.match(errors.join(), /taken away without the database/);
      while (!world.databricks.members(group).includes(memberId)) await delay(10);
      await world.until(id, 'active');
      const { items } = await world.client('aude').call('listAudit', { query: { grantId: id } });
      assert.ok(items.some(({ event }) => event === 'membership.lost'));
      await world.client('ana').call('returnGrant', { params: { id } });
      await world.until(id, 'ended');
      assert.deepEqual(world.databricks.members(group), []);
    } finally {
      await world.close();
    }
  });
});
