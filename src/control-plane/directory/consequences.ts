import { type RawBuilder, sql } from 'kysely';

import { refuse } from '../../domain/request.ts';
import type { Actor } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { closeGrant } from '../grants/close.ts';
import { type HeldGrant, LIVE_STATES, lockHeldGrants } from '../grants/rows.ts';
import { lockRequest, saveRequest } from '../requests/rows.ts';
import { tellOfRefusal } from '../requests/tell.ts';
import { type DirectoryLink, isOf, subjectOf } from './link.ts';
import type { DirectoryPerson } from './people.ts';

/** Who acts where the directory does. */
export const DIRECTORY_ACTOR: Actor = {
  iss: 'urn:oam:directory',
  sub: 'scim',
  userName: 'directory',
  displayName: 'Company directory',
};

const LEFT = 'The directory says that this person is not active any more.';

/** What consequences are drawn with. */
export interface ConsequenceParts extends Pick<Core, 'debt'> {
  readonly link: DirectoryLink;
}

/** A person as the directory has just described them: who is not active any more holds and waits for nothing. */
export async function drawConsequences(
  change: Change,
  parts: ConsequenceParts,
  person: DirectoryPerson,
): Promise<void> {
  const sub = subjectOf(parts.link, person);
  if (sub !== undefined && !person.active) await endEverything(change, parts, sub);
}

/** The name of a group as tokens name it, and the people who lost or got it. */
export interface GroupNews {
  readonly name: string | undefined;
  readonly people: readonly string[];
}

/**
 * What is known of people's groups follows at once. Name by name: a directory that pushes only some of the groups says
 * nothing about the others.
 */
export async function followGroups(
  change: Change,
  link: DirectoryLink,
  news: { readonly lost: GroupNews; readonly got: GroupNews },
): Promise<void> {
  await rewriteGroups(change, link, news.lost, (name) => sql`array_remove(groups, ${name})`);
  await rewriteGroups(
    change,
    link,
    news.got,
    (name) => sql`array_append(array_remove(groups, ${name}), ${name})`,
  );
}

async function rewriteGroups(
  change: Change,
  link: DirectoryLink,
  { name, people }: GroupNews,
  rewritten: (name: string) => RawBuilder<unknown>,
): Promise<void> {
  if (name === undefined || people.length === 0) return;
  const [subject, known] =
    link.subject === 'userName' ? [sql`lower(user_name)`, sql`lower(sub)`] : [sql`external_id`, sql`sub`];
  await sql`
    update oam.principal set groups = ${rewritten(name)}, seen_at = oam.now()
    where iss = ${link.issuer} and groups is not null and ${known} in
      (select ${subject} from oam.directory_user where id = any(${sql.val(people)}::uuid[]))`.execute(
    change.trx,
  );
}

/**
 * Nothing of what was known of somebody holds any more, nor what a token from before says of them: after this the
 * directory cannot say that they have left, because it does not know them.
 */
export async function forgetFacts(change: Change, link: DirectoryLink, sub: string): Promise<void> {
  await sql`
    update oam.principal set groups = '{}', duty = null, attributes = '{}',
      seen_at = oam.now(), token_seen_at = oam.now()
    where iss = ${link.issuer} and ${isOf(link, sub)}`.execute(change.trx);
}

/**
 * Somebody left, or is gone from the directory: their grants end and their open requests are refused, whether or not the
 * trail can be written, and whatever was stored of the roles.
 */
export async function endEverything(change: Change, parts: ConsequenceParts, sub: string): Promise<void> {
  const { issuer: iss } = parts.link;
  const requests = await change.trx
    .selectFrom('access_request')
    .select('id')
    .where('iss', '=', iss)
    .where(isOf(parts.link, sub))
    .where('state', 'in', ['pending', 'awaiting_requester'])
    .orderBy('id')
    .execute();
  for (const { id } of requests) {
    const request = await lockRequest(change, id);
    if (request?.state !== 'pending' && request?.state !== 'awaiting_requester') continue;
    const refused = { ...refuse(request), because: [LEFT] };
    await saveRequest(change, request, refused);
    await tellOfRefusal(change, parts.debt, refused, DIRECTORY_ACTOR, { by: 'directory', because: [LEFT] });
  }
  const grants = await change.trx
    .selectFrom('access_grant')
    .select('id')
    .where('iss', '=', iss)
    .where(isOf(parts.link, sub))
    .where('state', 'in', LIVE_STATES)
    .orderBy('id')
    .execute();
  for (const { id } of grants) {
    const grant = await lockLatestHeld(change, id);
    if (grant === undefined || !LIVE_STATES.some((state) => state === grant.state)) continue;
    await closeGrant(change, parts.debt, grant, {
      reason: 'revoked',
      actor: DIRECTORY_ACTOR,
      comment: LEFT,
    });
  }
}

/** The grant, or the one that it lives on in: it may have been extended since it was listed. */
async function lockLatestHeld(change: Change, id: string): Promise<HeldGrant | undefined> {
  const [grant] = await lockHeldGrants(change, [id]);
  return grant?.successorId === undefined ? grant : lockLatestHeld(change, grant.successorId);
}
