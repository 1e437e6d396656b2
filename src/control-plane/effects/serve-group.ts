import { inChange } from '../changes/change.ts';
import { writeAdditions } from './additions.ts';
import { adoptGroup, postponeAdoption } from './adoption.ts';
import { dueAdditions, type DueEffect, dueRemovals } from './due.ts';
import type { GroupGoneParts } from './group-gone.ts';
import type { GroupLease } from './group-lease.ts';
import { look } from './look.ts';
import { failed } from './outcome.ts';
import { abandon, type MemberLookup } from './provisioning.ts';
import { writeRemovals } from './removals.ts';
import type { Workspaces } from './workspaces.ts';
import type { WriteParts } from './write.ts';

/** What serving a group needs. */
export interface ServingParts extends WriteParts, GroupGoneParts, MemberLookup {
  readonly workspaces: Workspaces;
}

const ADOPTION_RETRY_MS = 5_000;

/**
 * Does the due writes of one group and believes none of them until a read of the group shows it. Ends early where the
 * lease is lost; what is left undone stays due.
 */
export async function serveGroup(parts: ServingParts, lease: GroupLease): Promise<void> {
  const { group } = lease;
  // Removals never wait for anything: a group that cannot be adopted (any more) still loses what OAM added to it.
  const removed = await writeRemovals(parts, lease, await dueRemovals(parts.db, group.group_id));
  for (const [host, written] of removed) await look(parts, parts.workspaces.at(host), lease, written);

  const additions = await dueAdditions(parts.db, group.group_id);
  if (!(await isAdopted(parts, lease, additions))) return;
  const added = await writeAdditions(parts, lease, additions);
  for (const [host, written] of added) await look(parts, parts.workspaces.at(host), lease, written);
}

async function isAdopted(
  parts: ServingParts,
  { group }: GroupLease,
  additions: readonly DueEffect[],
): Promise<boolean> {
  if (group.adoption === 'adopted') return true;
  try {
    const adoption = await adoptGroup(parts, parts.workspaces.at(group.workspace_host), group);
    if (adoption.kind === 'adopted') return true;
    for (const { grant } of additions) await abandon(parts, grant.id, adoption.reason);
  } catch (error) {
    parts.logger.warn('A group could not be looked at.', {
      group: group.group_id,
      reason: parts.redactor.redact(error instanceof Error ? error.message : 'unknown'),
    });
    await inChange(parts.db, (change) => postponeAdoption(change, group, ADOPTION_RETRY_MS));
    await failed(parts, additions, error);
  }
  return false;
}
