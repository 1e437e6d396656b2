import { refuse } from '../../domain/request.ts';
import type { Actor } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import { toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { closeGrant } from '../grants/close.ts';
import { lockGrant } from '../grants/rows.ts';
import { LIVE_STATES } from '../grants/rows.ts';
import { lockRequest, saveRequest } from '../requests/rows.ts';
import { tellOfRequest } from '../requests/tell.ts';
import { type DirectoryLink, groupsIn, subjectOf } from './link.ts';
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

/**
 * What the directory says of a person is what OAM knows of them from now on: their groups, and, where they are not
 * active any more, the end of everything that they hold or wait for. In the change that brought the news.
 */
export async function drawConsequences(
  change: Change,
  parts: ConsequenceParts,
  person: DirectoryPerson,
): Promise<void> {
  const sub = subjectOf(parts.link, person);
  if (sub === undefined) return;
  if (!person.active) return endEverything(change, parts, sub);
  const groups = await groupsIn(change.trx, parts.link, person.id);
  await change.trx
    .updateTable('principal')
    .set({ groups, seen_at: toDate(change.nowMs), display_name: displayNameOf(person) })
    .where('iss', '=', parts.link.issuer)
    .where('sub', '=', sub)
    .where('seen_at', '<', toDate(change.nowMs))
    .execute();
}

/** Somebody left, or is gone from the directory: their grants end and their open requests are refused. */
export async function endEverything(change: Change, parts: ConsequenceParts, sub: string): Promise<void> {
  const { issuer: iss } = parts.link;
  const requests = await change.trx
    .selectFrom('access_request')
    .select('id')
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .where('state', 'in', ['pending', 'awaiting_requester'])
    .orderBy('id')
    .execute();
  for (const { id } of requests) {
    const request = await lockRequest(change, id);
    if (request?.state !== 'pending' && request?.state !== 'awaiting_requester') continue;
    const refused = { ...refuse(request), because: [LEFT] };
    await saveRequest(change, request, refused);
    await tellOfRequest(change, 'request.denied', refused, DIRECTORY_ACTOR, {
      by: 'directory',
      because: [LEFT],
    });
  }
  const grants = await change.trx
    .selectFrom('access_grant')
    .select('id')
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .where('state', 'in', LIVE_STATES)
    .orderBy('id')
    .execute();
  for (const { id } of grants) {
    const grant = await lockGrant(change, id);
    if (grant === undefined || !LIVE_STATES.some((state) => state === grant.state)) continue;
    await closeGrant(change, parts.debt, grant, {
      reason: 'revoked',
      actor: DIRECTORY_ACTOR,
      comment: LEFT,
    });
  }
}

function displayNameOf(person: DirectoryPerson): string {
  const { displayName } = person.attributes;
  return typeof displayName === 'string' && displayName !== '' ? displayName : person.userName;
}
