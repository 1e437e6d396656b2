import { DatabricksError, type Group, type WorkspaceClient } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import { isLive } from '../../domain/grant.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { inChange, storeNowMs, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { isDemandedByAnother } from '../grants/rows.ts';
import { adoptGroup, postponeAdoption } from './adoption.ts';
import { dueEffects, type DueEffect, wasAdditionBegun } from './due.ts';
import type { GroupLease } from './group-lease.ts';
import {
  beginWrite,
  failed,
  letGo,
  notYetPresent,
  type OutcomeParts,
  sawAbsent,
  sawPresent,
  stillPresent,
  wasNotBegun,
  wrote,
} from './outcome.ts';
import { abandon, admit, dropEffect, memberIdOf } from './provisioning.ts';
import type { Workspaces } from './workspaces.ts';

/** What serving a group needs. */
export interface ServingParts extends Core, OutcomeParts {
  readonly workspaces: Workspaces;
}

/** An effect whose write was begun: now a read decides. */
interface Written {
  readonly effect: DueEffect;
  readonly memberId: string;
}

/** A write is repeated where reads have not shown it for this long, in milliseconds. */
const WRITE_AGAIN_MS = 15 * SECOND_MS;

const ADOPTION_RETRY_MS = 5 * SECOND_MS;

/**
 * Does the due writes of one group, one after the other, and believes none of them until a read of the group shows
 * it. Ends early where the lease is lost; what is left undone stays due.
 */
export async function serveGroup(parts: ServingParts, lease: GroupLease): Promise<void> {
  const { group } = lease;
  const client = parts.workspaces.at(group.workspace_host);
  const effects = await dueEffects(parts.db, group.group_id);
  const removals = effects.filter((effect) => effect.row.kind === 'remove_member');
  const additions = effects.filter((effect) => effect.row.kind === 'add_member');

  // Removals never wait for anything: a group that cannot be adopted (any more) still loses what OAM added to it.
  const written: Written[] = [];
  for (const effect of removals) {
    const done = await guarded(parts, effect, () => remove(parts, client, lease, effect));
    if (done) written.push(done);
  }
  if (await isAdopted(parts, client, lease, additions)) {
    for (const effect of additions) {
      const done = await guarded(parts, effect, () => add(parts, client, lease, effect));
      if (done) written.push(done);
    }
  }
  if (written.length > 0) await look(parts, client, lease, written);
}

async function remove(
  parts: ServingParts,
  client: WorkspaceClient,
  lease: GroupLease,
  effect: DueEffect,
): Promise<Written | undefined> {
  const { grant, row } = effect;
  if (!(await wasAdditionBegun(parts.db, grant.id)) || grant.memberId === undefined) {
    await letGo(parts, effect, 'nothing was written');
    return undefined;
  }
  if (await isDemandedByAnother(parts.db, grant)) {
    await letGo(parts, effect, 'another live grant keeps the membership');
    return undefined;
  }
  if (await isWriteDue(parts, effect)) {
    await lease.confirm();
    if (!(await beginWrite(parts, effect))) return undefined;
    await client.removeGroupMember(row.group_id, grant.memberId, { userAgentSuffix: `grant/${grant.id}` });
    await wrote(parts, effect);
  }
  return { effect, memberId: grant.memberId };
}

async function add(
  parts: ServingParts,
  client: WorkspaceClient,
  lease: GroupLease,
  effect: DueEffect,
): Promise<Written | undefined> {
  if (!isLive(effect.grant)) {
    await dropEffect(parts, effect.row.id);
    return undefined;
  }
  const grant = await admit(parts, effect);
  if (grant === undefined) return undefined;
  const memberId = await memberIdOf(parts, client, grant);
  if (await isWriteDue(parts, effect)) {
    await lease.confirm();
    if (!(await beginWrite(parts, effect))) return undefined;
    try {
      await client.addGroupMember(effect.row.group_id, memberId, { userAgentSuffix: `grant/${grant.id}` });
    } catch (error) {
      if (isRefused(error)) await wasNotBegun(parts, effect);
      throw error;
    }
    await wrote(parts, effect);
  }
  return { effect, memberId };
}

/** One read of the group decides for all that was written to it. */
async function look(
  parts: ServingParts,
  client: WorkspaceClient,
  lease: GroupLease,
  written: readonly Written[],
): Promise<void> {
  let group: Group | undefined;
  try {
    group = await client.group(lease.group.group_id);
  } catch (error) {
    if (!hasCode(error, 'databricks_not_found')) {
      for (const { effect } of written) await failed(parts, effect, error);
      return;
    }
    // A group that is gone has no members.
  }
  const members = new Set(group?.members.map((member) => member.value));
  for (const { effect, memberId } of written) {
    const present = members.has(memberId);
    await guarded(parts, effect, async () => {
      if (effect.row.kind === 'remove_member') {
        await (present ? stillPresent(parts, effect) : sawAbsent(parts, effect));
      } else if (group === undefined) {
        await abandon(parts, effect.grant.id, "The role's group no longer exists in Databricks.");
      } else if (present && (await probePasses(client, effect))) {
        await sawPresent(parts, effect);
      } else {
        await notYetPresent(parts, effect);
      }
      return undefined;
    });
  }
}

async function probePasses(client: WorkspaceClient, { grant }: DueEffect): Promise<boolean> {
  const { probe, group } = grant.role;
  if (probe === undefined) return true;
  const privileges = await client.effectivePermissions(probe.securableType, probe.fullName, group.name, {
    userAgentSuffix: `grant/${grant.id}`,
  });
  return privileges.some((entry) => entry.privilege === probe.privilege);
}

async function isAdopted(
  parts: ServingParts,
  client: WorkspaceClient,
  lease: GroupLease,
  additions: readonly DueEffect[],
): Promise<boolean> {
  if (lease.group.adoption === 'adopted') return true;
  try {
    const adoption = await adoptGroup(parts, client, lease.group);
    if (adoption.kind === 'adopted') return true;
    for (const effect of additions) await abandon(parts, effect.grant.id, adoption.reason);
  } catch (error) {
    parts.logger.warn('A group could not be looked at.', {
      group: lease.group.group_id,
      reason: parts.redactor.redact(error instanceof Error ? error.message : 'unknown'),
    });
    await inChange(parts.db, (change) => postponeAdoption(change, lease.group, ADOPTION_RETRY_MS));
    for (const effect of additions) await failed(parts, effect, error);
  }
  return false;
}

/**
 * A write whose answer was lost is repeated at once, which does no harm; one that Databricks took, when reads have had
 * time to show it.
 */
async function isWriteDue(parts: ServingParts, { row }: DueEffect): Promise<boolean> {
  const writtenAtMs = toMs(row.written_at);
  if (writtenAtMs === undefined) return true;
  if (row.first_absent_at !== null) return false;
  return (await storeNowMs(parts.db)) - writtenAtMs >= WRITE_AGAIN_MS;
}

/** True where Databricks said no: then it wrote nothing. After a 5xx, or without an answer, nobody knows. */
function isRefused(error: unknown): boolean {
  return error instanceof DatabricksError && error.status >= 400 && error.status < 500;
}

async function guarded(
  parts: ServingParts,
  effect: DueEffect,
  work: () => Promise<Written | undefined>,
): Promise<Written | undefined> {
  try {
    return await work();
  } catch (error) {
    if (hasCode(error, 'lease_lost')) throw error;
    await failed(parts, effect, error);
    return undefined;
  }
}
