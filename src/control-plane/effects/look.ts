import type { Group, WorkspaceClient } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import { findGrant } from '../grants/rows.ts';
import type { DueEffect } from './due.ts';
import { type GroupGoneParts, makeSureGroupIsGone, recordGroupGone } from './group-gone.ts';
import type { GroupLease } from './group-lease.ts';
import { failed, notYetPresent, sawAbsent, sawPresent, stillPresent } from './outcome.ts';
import { abandon } from './provisioning.ts';
import type { WriteParts, Written } from './write.ts';

const NO_GROUP = "The role's group does not exist in Databricks any more. Tell your administrator.";

/** One read of the group decides for all that was written to it. */
export async function look(
  parts: WriteParts & GroupGoneParts,
  client: WorkspaceClient,
  { group }: GroupLease,
  written: readonly Written[],
): Promise<void> {
  if (written.length === 0) return;
  let found: Group | undefined;
  try {
    found = await readGroup(parts, client, group);
  } catch (error) {
    await failed(
      parts,
      written.map(({ effect }) => effect),
      error,
    );
    return;
  }
  const removals = written.filter(({ effect }) => effect.row.kind === 'remove_member');
  const additions = written.filter(({ effect }) => effect.row.kind === 'add_member');
  if (found === undefined) {
    await sawAbsent(
      parts,
      removals.map(({ effect }) => effect),
      'groupGone',
    );
    for (const { effect } of additions) await abandon(parts, effect.grant.id, NO_GROUP);
    return;
  }
  const members = new Set(found.members.map((member) => member.value));
  await decideRemovals(parts, removals, members);
  await decideAdditions(parts, client, additions, members);
}

/** The group, or undefined where it was made sure that there is none any more. */
async function readGroup(
  parts: WriteParts & GroupGoneParts,
  client: WorkspaceClient,
  group: GroupLease['group'],
): Promise<Group | undefined> {
  try {
    return await client.group(group.group_id);
  } catch (error) {
    if (!hasCode(error, 'databricks_not_found')) throw error;
    await makeSureGroupIsGone(parts, client, group);
    await recordGroupGone(parts, group);
    return undefined;
  }
}

async function decideRemovals(
  parts: WriteParts,
  removals: readonly Written[],
  members: ReadonlySet<string>,
): Promise<void> {
  const present = removals.filter(({ memberId }) => members.has(memberId));
  await sawAbsent(
    parts,
    removals.filter((removal) => !present.includes(removal)).map(({ effect }) => effect),
    'absent',
  );
  await stillPresent(
    parts,
    present.filter(({ notFound }) => notFound === undefined).map(({ effect }) => effect),
  );
  for (const { effect, notFound } of present) {
    if (notFound !== undefined) await failed(parts, [effect], notFound);
  }
}

async function decideAdditions(
  parts: WriteParts,
  client: WorkspaceClient,
  additions: readonly Written[],
  members: ReadonlySet<string>,
): Promise<void> {
  const there: DueEffect[] = [];
  const notThere: DueEffect[] = [];
  for (const { effect, memberId, notFound } of additions) {
    if (notFound !== undefined) {
      await failed(parts, [effect], notFound);
      continue;
    }
    try {
      const isThere = members.has(memberId) && (await probePasses(parts, client, effect));
      (isThere ? there : notThere).push(effect);
    } catch (error) {
      await failed(parts, [effect], error);
    }
  }
  await sawPresent(parts, there);
  await notYetPresent(parts, notThere);
}

async function probePasses(
  { db }: Pick<WriteParts, 'db'>,
  client: WorkspaceClient,
  { grant }: DueEffect,
): Promise<boolean> {
  const stored = await findGrant(db, grant.id);
  if (stored === undefined) return false;
  const { probe, group } = stored.role;
  if (probe === undefined) return true;
  const privileges = await client.effectivePermissions(probe.securableType, probe.fullName, group.name, {
    userAgentSuffix: `grant/${grant.id}`,
  });
  return privileges.some((entry) => entry.privilege === probe.privilege);
}
