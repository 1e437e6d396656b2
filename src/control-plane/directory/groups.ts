import { randomUUID } from 'node:crypto';

import { type Selectable, sql } from 'kysely';

import { type Change, toDate } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import type { DirectoryGroupTable } from '../store/directory-tables.ts';
import { conflict, invalidValue, noSuchResource } from './answers.ts';

/** A group as the directory describes it. */
export interface DirectoryGroup {
  readonly id: string;
  readonly displayName: string;
  readonly externalId: string | undefined;
  /** Ids of people, and what they are called. */
  readonly members: readonly { readonly id: string; readonly userName: string }[];
  readonly version: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

/** What a SCIM client sends of a group. */
export interface GroupInput {
  readonly displayName: string;
  readonly externalId: string | undefined;
  readonly memberIds: readonly string[];
}

/** Every group, or those of one name. */
export async function listGroups(change: Change, displayName?: string): Promise<DirectoryGroup[]> {
  let query = change.trx.selectFrom('directory_group').selectAll().orderBy('created_at').orderBy('id');
  if (displayName !== undefined) {
    query = query.where((eb) => eb(eb.fn('lower', ['display_name']), '=', displayName.toLowerCase()));
  }
  const rows = await query.execute();
  const members = await membersOf(
    change,
    rows.map((row) => row.id),
  );
  return rows.map((row) => fromRow(row, members.get(row.id) ?? []));
}

/** Reads a group and keeps it from changing until the transaction ends. */
export async function lockGroup(change: Change, id: string): Promise<DirectoryGroup> {
  const row = isId(id)
    ? await change.trx
        .selectFrom('directory_group')
        .selectAll()
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst()
    : undefined;
  if (row === undefined) throw noSuchResource(id);
  return fromRow(row, (await membersOf(change, [id])).get(id) ?? []);
}

/** Adds a group. */
export async function addGroup(change: Change, input: GroupInput): Promise<DirectoryGroup> {
  const now = toDate(change.nowMs);
  const id = randomUUID();
  await conflict('displayName', () =>
    change.trx
      .insertInto('directory_group')
      .values({ id, ...columns(input), version: 1, created_at: now, modified_at: now })
      .execute(),
  );
  await addMembers(change, id, input.memberIds);
  return lockGroup(change, id);
}

/** Puts what a client sent in the place of what was known. The group must be locked. */
export async function replaceGroup(
  change: Change,
  group: DirectoryGroup,
  input: GroupInput,
): Promise<DirectoryGroup> {
  await conflict('displayName', () =>
    change.trx
      .updateTable('directory_group')
      .set({ ...columns(input), version: group.version + 1, modified_at: toDate(change.nowMs) })
      .where('id', '=', group.id)
      .execute(),
  );
  const before = group.members.map((member) => member.id);
  const gone = without(before, input.memberIds);
  if (gone.length > 0) {
    await change.trx
      .deleteFrom('directory_membership')
      .where('group_id', '=', group.id)
      .where('user_id', 'in', gone)
      .execute();
  }
  await addMembers(change, group.id, without(input.memberIds, before));
  return lockGroup(change, group.id);
}

/** Forgets a group. */
export async function removeGroup(change: Change, group: DirectoryGroup): Promise<void> {
  await change.trx.deleteFrom('directory_group').where('id', '=', group.id).execute();
}

/** Those of a list that are not in another. */
export function without(list: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return list.filter((id) => !known.has(id));
}

async function addMembers(change: Change, groupId: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  // Locked in one order, so that clients that push groups side by side do not wait for each other in a circle.
  const known = await change.trx
    .selectFrom('directory_user')
    .select('id')
    .where('id', '=', sql<string>`any(${sql.val(ids.filter(isId))}::uuid[])`)
    .orderBy('id')
    .forKeyShare()
    .execute();
  const unknown = ids.find((id) => !known.some((row) => row.id === id));
  if (unknown !== undefined) {
    throw invalidValue('A member is not one of the people here. Push the person first', unknown);
  }
  await change.trx
    .insertInto('directory_membership')
    .values(ids.map((id) => ({ group_id: groupId, user_id: id })))
    .onConflict((clash) => clash.doNothing())
    .execute();
}

async function membersOf(
  change: Change,
  groupIds: readonly string[],
): Promise<Map<string, DirectoryGroup['members'][number][]>> {
  const found = new Map<string, DirectoryGroup['members'][number][]>();
  if (groupIds.length === 0) return found;
  const rows = await change.trx
    .selectFrom('directory_membership as membership')
    .innerJoin('directory_user as person', 'person.id', 'membership.user_id')
    .select(['membership.group_id', 'person.id', 'person.user_name'])
    .where('membership.group_id', '=', sql<string>`any(${sql.val(groupIds)}::uuid[])`)
    .orderBy('person.user_name')
    .execute();
  for (const row of rows) {
    const members = found.get(row.group_id) ?? [];
    members.push({ id: row.id, userName: row.user_name });
    found.set(row.group_id, members);
  }
  return found;
}

function columns(input: GroupInput) {
  return { display_name: input.displayName, external_id: input.externalId ?? null };
}

function fromRow(
  row: Selectable<DirectoryGroupTable>,
  members: readonly DirectoryGroup['members'][number][],
): DirectoryGroup {
  return {
    id: row.id,
    displayName: row.display_name,
    externalId: row.external_id ?? undefined,
    members,
    version: row.version,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}
