import { randomUUID } from 'node:crypto';

import { type Kysely, sql } from 'kysely';

import { roleText } from '../../../src/domain/role-text.ts';
import type { Database } from '../../../src/control-plane/store/tables.ts';
import { memberKey } from '../../../src/domain/membership.ts';
import type { Role } from '../../../src/domain/role.ts';

/** A grant that was given before the story begins. */
export interface GivenGrant {
  readonly role: Role;
  readonly host: string;
  /** The member in Databricks; each has a principal of their own. */
  readonly memberId: string;
  readonly endsAtMs: number;
}

/** Puts active grants into the store as if they had been given an hour ago. Their members are put elsewhere. */
export async function giveGrants(db: Kysely<Database>, grants: readonly GivenGrant[]): Promise<string[]> {
  const rows = grants.map(({ role, host, memberId, endsAtMs }) => {
    const principal = { iss: 'https://idp.example', sub: `sub-${memberId}` };
    return {
      ...principal,
      id: randomUUID(),
      request_id: randomUUID(),
      role_id: role.id,
      team: role.team,
      role: roleText(role),
      workspace_host: host,
      group_id: role.group.id,
      group_name: role.group.name,
      member_key: memberKey(role, principal),
      member_id: memberId,
      ends_at: new Date(endsAtMs).toISOString(),
    };
  });
  await db.transaction().execute(async (trx) => {
    const given = sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given(id uuid, request_id uuid, iss text,
      sub text, role_id text, team text, role text, workspace_host text, group_id text, group_name text,
      member_key text, member_id text, ends_at timestamptz)`;
    await sql`
      insert into oam.principal (iss, sub, user_name, display_name, groups, seen_at)
      select iss, sub, sub, sub, '{}', oam.now() from ${given} on conflict do nothing`.execute(trx);
    await sql`
      insert into oam.jit_group (group_id, name, workspace_host, adoption, adopted_at, next_check_at)
      select distinct group_id, group_name, workspace_host, 'adopted', oam.now(), oam.now() from ${given}
      on conflict do nothing`.execute(trx);
    await sql`
      insert into oam.access_request (id, version, state, iss, sub, role_id, team, role, role_hash, minutes, purpose,
        stages, approvals, awaited, hash, policy_version, because, created_at, lapses_at,
        grant_id)
      select request_id, 2, 'approved', iss, sub, role_id, team, role::jsonb, '', 60, 'Given', '[]', '[]', '[]',
        '', '', '[]', oam.now(), oam.now(), id from ${given}`.execute(trx);
    await sql`
      insert into oam.access_grant (id, version, request_id, iss, sub, role_id, team, role, role_hash, workspace_host,
        group_id, member_key, member_id, minutes, purpose, state, given_up, created_at, deadline_at, activated_at,
        ends_at, membership_present_at, chain_id, held_since)
      select id, 3, request_id, iss, sub, role_id, team, role::jsonb, '', workspace_host, group_id, member_key,
        member_id, 60, 'Given', 'active', false, oam.now(), ends_at, ends_at - interval '1 hour', ends_at,
        ends_at - interval '1 hour', id, ends_at - interval '1 hour' from ${given}`.execute(trx);
    await sql`
      insert into oam.effect (grant_id, kind, group_id, state, next_attempt_at, begun_at, written_at, created_at,
        settled_at)
      select id, 'add_member', group_id, 'done', oam.now(), oam.now(), oam.now(), oam.now(), oam.now()
      from ${given}`.execute(trx);
  });
  return rows.map(({ id }) => id);
}
