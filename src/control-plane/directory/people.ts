import { randomUUID } from 'node:crypto';

import type { Selectable } from 'kysely';
import * as z from 'zod/mini';

import { canonicalJson, type Json, type JsonObject } from '../../domain/canonical.ts';
import { type Change, toDate } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import type { DirectoryUserTable } from '../store/directory-tables.ts';
import { storableMembers } from '../store/storable.ts';
import { conflict, noSuchResource } from './answers.ts';

/** Somebody as the directory describes them. */
export interface DirectoryPerson {
  readonly id: string;
  readonly userName: string;
  readonly externalId: string | undefined;
  readonly active: boolean;
  /** The other attributes of the SCIM resource. */
  readonly attributes: JsonObject;
  readonly version: number;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

/** What a SCIM client sends of a person. */
export type PersonInput = Pick<DirectoryPerson, 'userName' | 'externalId' | 'active' | 'attributes'>;

/** Equality on one of the indexed attributes, which is what provisioning clients look people up by. */
export type PersonKey = { readonly userName: string } | { readonly externalId: string };

const Attributes = z.record(z.string(), z.json());

/** Everybody in the directory, or those of one key. */
export async function listPeople(change: Change, key?: PersonKey): Promise<DirectoryPerson[]> {
  let query = change.trx.selectFrom('directory_user').selectAll().orderBy('created_at').orderBy('id');
  if (key !== undefined && 'userName' in key) {
    query = query.where((eb) => eb(eb.fn('lower', ['user_name']), '=', key.userName.toLowerCase()));
  } else if (key !== undefined) {
    query = query.where('external_id', '=', key.externalId);
  }
  return (await query.execute()).map(fromRow);
}

/** Reads a person and keeps them from changing until the transaction ends. */
export async function lockPerson(change: Change, id: string): Promise<DirectoryPerson> {
  const row = isId(id)
    ? await change.trx
        .selectFrom('directory_user')
        .selectAll()
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst()
    : undefined;
  if (row === undefined) throw noSuchResource(id);
  return fromRow(row);
}

/** Adds a person. */
export async function addPerson(change: Change, input: PersonInput): Promise<DirectoryPerson> {
  const now = toDate(change.nowMs);
  return conflict('userName', async () => {
    const row = await change.trx
      .insertInto('directory_user')
      .values({ id: randomUUID(), ...columns(input), version: 1, created_at: now, modified_at: now })
      .returningAll()
      .executeTakeFirstOrThrow();
    return fromRow(row);
  });
}

/** Puts what a client sent in the place of what was known. The person must be locked. */
export async function replacePerson(
  change: Change,
  person: DirectoryPerson,
  input: PersonInput,
): Promise<DirectoryPerson> {
  return conflict('userName', async () => {
    const row = await change.trx
      .updateTable('directory_user')
      .set({ ...columns(input), version: person.version + 1, modified_at: toDate(change.nowMs) })
      .where('id', '=', person.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return fromRow(row);
  });
}

/** Forgets a person and their place in groups. */
export async function removePerson(change: Change, person: DirectoryPerson): Promise<void> {
  await change.trx.deleteFrom('directory_user').where('id', '=', person.id).execute();
}

function columns(input: PersonInput) {
  return {
    user_name: input.userName,
    external_id: input.externalId ?? null,
    active: input.active,
    attributes: canonicalJson(storableMembers(input.attributes)),
  };
}

function fromRow(row: Selectable<DirectoryUserTable>): DirectoryPerson {
  return {
    id: row.id,
    userName: row.user_name,
    externalId: row.external_id ?? undefined,
    active: row.active,
    attributes: Attributes.parse(row.attributes) satisfies Json,
    version: row.version,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}
