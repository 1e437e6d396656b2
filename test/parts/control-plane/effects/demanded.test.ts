import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { dueRemovals } from '../../../../src/control-plane/effects/due.ts';
import { LIVE_STATES } from '../../../../src/control-plane/grants/rows.ts';
import { loadPolicy } from '../../../../src/control-plane/policy/publish.ts';
import { isLive } from '../../../../src/domain/grant.ts';
import { GRANT_STATES } from '../../../../src/domain/lifecycle.ts';
import { isDemanded, membershipOf } from '../../../../src/domain/membership.ts';
import { HOUR_MS } from '../../../../src/domain/time.ts';
import { freshStore } from '../database.ts';
import { giveGrants } from '../many-grants.ts';

const HOST = 'https://workspace.example';

describe('whether another grant demands a membership', function () {
  this.timeout(60_000);

  it('is answered by the store as by the rules, for every state of that grant', async () => {
    assert.deepEqual(
      [...LIVE_STATES],
      GRANT_STATES.filter((state) => isLive({ state })),
    );
    const { catalogue } = await loadPolicy('demo/policy', {
      OAM_WORKSPACE_PROD: HOST,
      OAM_WORKSPACE_DEV: 'https://dev.example',
    });
    const role = catalogue.roles.find(({ id }) => id === 'recsys-deployer');
    assert.ok(role);
    const store = await freshStore();
    try {
      const { db } = store;
      const endsAtMs = (await store.nowMs()) + HOUR_MS;
      // Two people hold a role of one service principal: one membership.
      const given = ['one', 'two'].map((memberId) => ({ role, host: HOST, memberId, endsAtMs }));
      const [mine, other] = await giveGrants(db, given);
      assert.ok(mine !== undefined && other !== undefined);
      await sql`
        insert into oam.effect (grant_id, kind, group_id, state, next_attempt_at, created_at)
        values (${mine}, 'remove_member', ${role.group.id}, 'due', oam.now(), oam.now())`.execute(db);
      await sql`update oam.access_grant set state = 'revoking', end_reason = 'returned' where id = ${mine}`.execute(
        db,
      );
      const membership = membershipOf(role, { iss: 'i', sub: 's' });
      for (const state of GRANT_STATES) {
        for (const additionBegun of [true, false]) {
          const endReason = state === 'ended' ? 'returned' : null;
          await sql`
            update oam.access_grant set state = ${state}, end_reason = ${endReason}
            where id = ${other}`.execute(db);
          await sql`
            update oam.effect set begun_at = ${additionBegun ? sql`oam.now()` : null}
            where grant_id = ${other} and kind = 'add_member'`.execute(db);
          const [removal] = await dueRemovals(db, role.group.id);
          assert.ok(removal);
          assert.equal(
            removal.idleBecause !== undefined,
            isDemanded(membership, [{ state, additionBegun, membership }]),
            `${state}, ${additionBegun ? 'begun' : 'not begun'}`,
          );
        }
      }
    } finally {
      await store.close();
    }
  });
});
