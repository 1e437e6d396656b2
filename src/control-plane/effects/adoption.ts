import { type Kysely, sql } from 'kysely';

import type { Group, WorkspaceClient } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Core } from '../core.ts';
import type { Database } from '../store/tables.ts';
import type { JitGroup } from './group-lease.ts';

/** What has become of a group that the catalogue names. */
export type Adoption =
  | { readonly kind: 'adopted' }
  /** Never, as things stand in Databricks: an administrator must act. */
  | { readonly kind: 'refused'; readonly reason: string };

const RECHECK_MS = 30 * SECOND_MS;

/** The groups of the catalogue become known to the store; they are looked at before anything is written to them. */
export async function registerGroups(db: Kysely<Database>, { roles, workspaces }: Catalogue): Promise<void> {
  for (const role of roles) {
    const host = workspaces.find((workspace) => workspace.name === role.workspace)?.host;
    if (host === undefined) throw new TypeError(`The catalogue has no such workspace: ${role.workspace}`);
    await sql`
      insert into oam.jit_group (group_id, name, workspace_host) values (${role.group.id}, ${role.group.name}, ${host})
      on conflict (group_id) do update set
        workspace_host = excluded.workspace_host,
        name = excluded.name,
        adoption = case
          when jit_group.name = excluded.name and jit_group.workspace_host = excluded.workspace_host
            then jit_group.adoption
          else 'unchecked' end,
        next_check_at = oam.now()`.execute(db);
  }
}

/**
 * Looks at a group before the first write to it: it must exist, carry the name that the catalogue says, and hold
 * nobody whom OAM did not add. What it finds is recorded.
 *
 * @throws {OamError} where Databricks does not answer: nothing is known then, and nothing is recorded.
 */
export async function adoptGroup(
  core: Pick<Core, 'db' | 'logger'>,
  client: WorkspaceClient,
  group: JitGroup,
): Promise<Adoption> {
  const reason = await objection(core, client, group);
  await inChange(core.db, async (change) => {
    await change.trx
      .updateTable('jit_group')
      .set((eb) => ({
        adoption: reason === undefined ? 'adopted' : 'refused',
        reason: reason ?? null,
        // What was once seen stays seen: a group that is gone can be told from one that never was.
        ...(reason === undefined && {
          adopted_at: toDate(change.nowMs),
          epoch: eb.selectFrom('store').select('epoch'),
        }),
        next_check_at: toDate(change.nowMs + RECHECK_MS),
      }))
      .where('group_id', '=', group.group_id)
      .execute();
    if (reason !== (group.reason ?? undefined) || group.adoption === 'unchecked') {
      await recordAudit(change, {
        event: reason === undefined ? 'group.adopted' : 'group.refused',
        detail: { group: group.group_id, name: group.name, ...(reason !== undefined && { reason }) },
      });
    }
  });
  if (reason === undefined) {
    core.logger.info('Adopted a group.', { group: group.group_id, name: group.name });
    return { kind: 'adopted' };
  }
  core.logger.warn('A role cannot be granted.', { group: group.group_id, name: group.name, reason });
  return { kind: 'refused', reason };
}

/** Puts the next look at a group off where Databricks did not answer. */
export async function postponeAdoption(change: Change, group: JitGroup, delayMs: number): Promise<void> {
  await change.trx
    .updateTable('jit_group')
    .set({ next_check_at: toDate(change.nowMs + delayMs) })
    .where('group_id', '=', group.group_id)
    .execute();
}

async function objection(
  core: Pick<Core, 'db'>,
  client: WorkspaceClient,
  group: JitGroup,
): Promise<string | undefined> {
  let found: Group;
  try {
    found = await client.group(group.group_id);
  } catch (error) {
    if (hasCode(error, 'databricks_not_found')) {
      return `Databricks has no group ${group.group_id}. Create it, or correct the catalogue.`;
    }
    if (hasCode(error, 'databricks_permission_denied')) {
      return `OAM may not read group ${group.group_id}. Give its service principal the role group.manager on it.`;
    }
    throw error;
  }
  if (found.displayName !== group.name) {
    return `Group ${group.group_id} is called ${found.displayName} in Databricks and ${group.name} in the catalogue. Correct one of them.`;
  }
  const ours = await core.db
    .selectFrom('access_grant')
    .select('member_id')
    .where('group_id', '=', group.group_id)
    .where('state', 'not in', ['ended', 'failed'])
    .where('member_id', 'is not', null)
    .execute();
  const strangers = found.members.filter((member) => !ours.some((grant) => grant.member_id === member.value));
  return strangers.length === 0
    ? undefined
    : `Group ${group.name} holds ${strangers.length} ${strangers.length === 1 ? 'member' : 'members'} whom OAM did not add. Remove them, so that OAM can answer for the group.`;
}
