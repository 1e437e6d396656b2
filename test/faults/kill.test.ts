import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { Cleanup } from '../../demo/stage/cleanup.ts';
import type { RunningControlPlane } from '../../demo/stage/controlPlane.ts';
import type { GrantView } from '../../src/protocol/schemas.ts';
import { SEED } from '../../src/sandbox/databricks/index.ts';
import type { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { LATEST_KILL_MS, randomFrom, WAYS } from './crashes.ts';
import { clientOf, insist, type KillableStage, obtain, setKillableStage } from './stage.ts';

/** Kills in the middle of asking, approving, provisioning and revoking. `OAM_KILLS` plays more. */
const KILLS = Number(process.env['OAM_KILLS'] ?? '8');

const EXPIRING = {
  roleId: 'platform-cluster-operator',
  group: SEED.jitGroups.clusterOperator.id,
  member: SEED.users.omar.id,
};

describe('a control plane that is killed with kill -9', function () {
  this.timeout(300_000);
  const seed = Number(process.env['OAM_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  const cleanup = new Cleanup();
  let stage: KillableStage;
  let controlPlane: RunningControlPlane;

  before(async () => {
    stage = await setKillableStage(cleanup, { name: 'faults' });
    stage.databricks.tune({ membershipLagMs: 150 });
    controlPlane = await stage.serve({ absenceConfirmMs: 300 });
  });
  after(() => cleanup.run());

  const client = (who: keyof typeof PEOPLE) => clientOf(stage.identityProvider, controlPlane, who);

  const killOnce = async (meanwhile?: () => Promise<void>): Promise<void> => {
    await delay(random() * LATEST_KILL_MS);
    await controlPlane.kill();
    await meanwhile?.();
    await controlPlane.restart();
  };

  const until = async (id: string, state: GrantView['state']): Promise<GrantView> => {
    const start = performance.now();
    for (;;) {
      const grant = await insist(() => client('aude').call('getGrant', { params: { id } }));
      if (grant.state === state) return grant;
      if (performance.now() - start > 30_000) {
        assert.fail(`seed ${seed}: the grant is ${grant.state}, not ${state}: ${grant.trouble ?? ''}`);
      }
      await delay(50);
    }
  };

  it('loses nothing, doubles nothing, and ends what ended while it was dead', async () => {
    const expiring = await insist(() =>
      client('omar').call('createRequest', {
        body: { roleId: EXPIRING.roleId, purpose: 'Expire', minutes: 1 },
        idempotencyKey: 'expiring',
      }),
    );
    assert.ok(expiring.grantId);
    const { endsAt } = await until(expiring.grantId, 'active');
    assert.ok(endsAt);

    const grants: string[] = [];
    let held: string[] = [];
    for (let round = 0; round < KILLS; round += 1) {
      const last = round === KILLS - 1;
      const killed = killOnce(
        last ? async () => delay(Math.max(0, Date.parse(endsAt) - Date.now() + 500)) : undefined,
      );
      if (round % 2 === 0) {
        held = await Promise.all(
          WAYS.map(({ roleId }) =>
            obtain({ ana: client('ana'), lena: client('lena') }, roleId, String(round)),
          ),
        );
        await killed;
        await Promise.all(held.map((id) => until(id, 'active')));
        for (const way of WAYS) {
          assert.deepEqual(stage.databricks.members(way.group), [way.member], `seed ${seed}, round ${round}`);
        }
        grants.push(...held);
      } else {
        await Promise.all(
          held.map((id) =>
            insist(() =>
              client('ana').call('returnGrant', { params: { id }, idempotencyKey: `return-${id}` }),
            ),
          ),
        );
        await killed;
        await Promise.all(held.map((id) => until(id, 'ended')));
        for (const way of WAYS) {
          assert.deepEqual(stage.databricks.members(way.group), [], `seed ${seed}, round ${round}`);
        }
      }
    }

    const expired = await until(expiring.grantId, 'ended');
    assert.equal(expired.endReason, 'expired');
    assert.deepEqual(stage.databricks.members(EXPIRING.group), []);

    const all = await client('ana').call('listGrants', { query: { limit: 200 } });
    assert.deepEqual(all.items.map((grant) => grant.id).sort(), [...grants].sort(), `seed ${seed}`);
    for (const id of [...grants, expiring.grantId]) {
      const { state } = await client('aude').call('getGrant', { params: { id } });
      await assertRecordedOnce(id, state === 'ended');
    }
    await assertChainHasNoGaps();
  });

  const assertRecordedOnce = async (grantId: string, over: boolean): Promise<void> => {
    const { items } = await client('aude').call('listAudit', { query: { grantId, limit: 200 } });
    const events = items.map((row) => row.event);
    for (const event of [
      'grant.scheduled',
      'grant.provisioning',
      'grant.active',
      'grant.revoking',
      'grant.ended',
    ]) {
      const expected = event === 'grant.revoking' || event === 'grant.ended' ? Number(over) : 1;
      const count = events.filter((candidate) => candidate === event).length;
      assert.equal(count, expected, `seed ${seed}: ${event} was recorded ${count} times`);
    }
  };

  const assertChainHasNoGaps = async (): Promise<void> => {
    await delay(1_500);
    const sequences: number[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await client('aude').call('listAudit', {
        query: { limit: 200, ...(typeof cursor === 'string' && { cursor }) },
      });
      for (const row of page.items) {
        if (row.sequence !== null) sequences.push(row.sequence);
      }
      cursor = page.nextCursor;
    } while (cursor !== null);
    sequences.sort((a, b) => a - b);
    assert.deepEqual(
      sequences,
      sequences.map((_, index) => index + 1),
    );
  };
});
