import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { isFor } from '../../../../src/control-plane/approvers/audience.ts';
import { findRequest } from '../../../../src/control-plane/requests/rows.ts';
import { roleText } from '../../../../src/domain/role-text.ts';
import { migrate } from '../../../../src/control-plane/store/migrate.ts';
import { migrations } from '../../../../src/control-plane/store/migrations/index.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import type { Principal } from '../../../../src/domain/principal.ts';
import type { Role } from '../../../../src/domain/role.ts';
import { freshStore, type TestStore } from '../database.ts';

const STAGE = { approverGroups: ['leads', "o'hara's"], quorum: 1 };

const role: Role = {
  ...{ id: 'role', title: 'Title', gives: 'Gives', workspace: 'ws', team: 'team' },
  ...{ sensitivity: 'low', credential: 'member', group: { id: '1', name: 'g' }, servicePrincipal: undefined },
  ...{ maxMinutes: 60, maxTotalMinutes: 180, defaultMinutes: 30, tokenMinutes: 15, probe: undefined },
  approval: [STAGE],
};

const ID = '00000000-0000-4000-8000-000000000001';

describe('what was stored before approvers had attributes', function () {
  this.timeout(30_000);
  let store: TestStore;
  beforeEach(async () => {
    store = await freshStore();
  });
  afterEach(() => store.close());

  it('reads as it was, and waits for the same people', async () => {
    const { db } = store;
    await sql`drop schema oam cascade`.execute(db);
    const before = migrations.findIndex(({ name }) => name === 'approvers');
    await migrate(db, migrations.slice(0, before), silentLogger);
    await sql`insert into oam.principal (iss, sub, user_name, display_name, groups, seen_at)
      values ('i', 's', 's', 's', '{}', oam.now())`.execute(db);
    await sql`insert into oam.access_request (id, version, state, iss, sub, role_id, team, role, role_hash, minutes,
        purpose, stages, approvals, approver_groups, awaited_groups, hash, policy_version, because, created_at,
        lapses_at)
      values (${ID}, 1, 'pending', 'i', 's', 'role', 'team', ${roleText(role)}::jsonb, 'h', 30, 'why',
        ${JSON.stringify([STAGE])}::jsonb, '[]', ${STAGE.approverGroups}, ${STAGE.approverGroups}, 'h', 'p', '[]',
        oam.now(), oam.now())`.execute(db);
    await sql`insert into oam.event (kind, at, iss, sub, approver_groups, team)
      values ('request.created', oam.now(), 'i', 's', ${STAGE.approverGroups}, 'team'),
        ('grant.active', oam.now(), 'i', 's', '{}', 'team')`.execute(db);
    await sql`insert into oam.access_grant (id, version, request_id, iss, sub, role_id, team, role, role_hash,
        workspace_host, group_id, member_key, minutes, purpose, state, given_up, created_at, deadline_at, review,
        chain_id)
      values (${ID}, 1, ${ID}, 'i', 's', 'role', 'team', ${roleText(role)}::jsonb, 'h', 'https://w', '1', 'm', 30,
        'why', 'provisioning', false, oam.now(), oam.now(), 'pending', ${ID})`.execute(db);
    await migrate(db, migrations, silentLogger);

    const request = await findRequest(db, ID);
    assert.deepEqual(request?.stages, [STAGE]);
    assert.deepEqual(request.role.approval, [STAGE]);
    const found = async (groups: string[]): Promise<number[]> => {
      const person: Principal = {
        ...{ iss: 'i', sub: 'a', userName: 'a', displayName: 'a', duty: undefined, seenAtMs: 0 },
        groups: { kind: 'listed', names: groups },
      };
      const counts = await Promise.all([
        db.selectFrom('access_request').select('id').where(isFor('awaited', person)).execute(),
        db.selectFrom('event').select('kind').where(isFor('audience', person)).execute(),
        db.selectFrom('access_grant').select('id').where(isFor('reviewers', person)).execute(),
      ]);
      return counts.map((rows) => rows.length);
    };
    assert.deepEqual(await found(['others', "o'hara's"]), [1, 1, 1]);
    assert.deepEqual(await found(['others']), [0, 0, 0]);
    assert.deepEqual(await found([]), [0, 0, 0]);
  });
});
