import { type Kysely, type RawBuilder, sql } from 'kysely';

import type { PrincipalKey } from '../../domain/principal.ts';
import type { Database } from '../store/tables.ts';
import type { DirectoryGroup } from './groups.ts';
import type { DirectoryPerson } from './people.ts';

/** How the directory's people and groups are the ones that tokens speak of. Never by display name or e-mail alone. */
export interface DirectoryLink {
  /** The issuer whose subjects the directory describes. */
  readonly issuer: string;
  /** The SCIM attribute that equals the token's subject. */
  readonly subject: 'externalId' | 'userName';
  /** The SCIM attribute of a group that equals the name in the token's list of groups. */
  readonly groupName: 'displayName' | 'externalId';
  /** For how long the directory's word on groups is good after it last spoke, in minutes. */
  readonly trustMinutes: number;
}

/**
 * The token's subject that a person of the directory has; undefined where the directory did not say. User names are the
 * same in whatever case they are written (RFC 7643 §4.1.1), so they are in small letters here: see {@link isOf}.
 */
export function subjectOf(
  link: DirectoryLink,
  person: Pick<DirectoryPerson, 'userName' | 'externalId'>,
): string | undefined {
  return link.subject === 'userName' ? person.userName.toLowerCase() : person.externalId;
}

/** True in a query where the row's column `sub` is a subject as {@link subjectOf} says it. */
export function isOf(link: DirectoryLink, subject: string): RawBuilder<boolean> {
  return link.subject === 'userName' ? sql`lower(sub) = ${subject}` : sql`sub = ${subject}`;
}

/** The name that tokens have for a group; undefined where the directory did not say, or where there is no group. */
export function nameOf(
  link: DirectoryLink,
  group: Pick<DirectoryGroup, 'displayName' | 'externalId'> | undefined,
): string | undefined {
  return link.groupName === 'displayName' ? group?.displayName : group?.externalId;
}

/** The names of the groups that a person is in, as tokens name them. */
export async function groupsIn(
  db: Kysely<Database>,
  link: DirectoryLink,
  personId: string,
): Promise<string[]> {
  const column = link.groupName === 'displayName' ? 'display_name' : 'external_id';
  const rows = await db
    .selectFrom('directory_membership as membership')
    .innerJoin('directory_group as team', 'team.id', 'membership.group_id')
    .select(`team.${column} as name`)
    .where('membership.user_id', '=', personId)
    .orderBy('name')
    .execute();
  return rows.flatMap(({ name }) => (name === null ? [] : [name]));
}

/** True where the directory says that somebody is not active any more; it says nothing of people whom it never pushed. */
export async function hasLeft(
  db: Kysely<Database>,
  link: DirectoryLink | undefined,
  person: PrincipalKey,
): Promise<boolean> {
  if (link?.issuer !== person.iss) return false;
  return (await findLinked(db, link, person.sub))?.active === false;
}

/** What the directory knows of a token's subject. */
export interface LinkedPerson {
  readonly id: string;
  readonly active: boolean;
  /** True while the directory spoke recently enough for its lists of groups to be believed. */
  readonly fresh: boolean;
}

/** Looks a token's subject up. */
export async function findLinked(
  db: Kysely<Database>,
  link: DirectoryLink,
  sub: string,
): Promise<LinkedPerson | undefined> {
  const fresh = sql<boolean>`coalesce((select spoke_at from oam.directory_contact) >
    oam.now() - ${link.trustMinutes} * interval '1 minute', false)`;
  const query = db.selectFrom('directory_user').select(['id', 'active', fresh.as('fresh')]);
  return link.subject === 'userName'
    ? query.where((eb) => eb(eb.fn('lower', ['user_name']), '=', sub.toLowerCase())).executeTakeFirst()
    : query.where('external_id', '=', sub).executeTakeFirst();
}
