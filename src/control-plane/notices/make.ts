import { type Selectable, sql } from 'kysely';

import type { Logger } from '../../domain/logger.ts';
import { DAY_MS, MINUTE_MS } from '../../domain/time.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { HELD_COLUMNS, heldFromRow } from '../grants/rows.ts';
import { findRequest, type StoredRequest } from '../requests/rows.ts';
import type { NoticeCauseTable } from '../store/notice-tables.ts';
import { draftOfClosing, draftOfGrant, draftOfWaiting } from './drafts.ts';
import { channelsTold, makeNotices } from './made.ts';
import { type NoticeSettings, REQUESTERS } from './settings.ts';

/** What making notices needs. */
export interface MakingParts extends Pick<Core, 'db'> {
  readonly logger: Logger;
  readonly settings: NoticeSettings;
}

/** How long the link to an emergency access opens it. */
const REVIEW_LINK_MS = 7 * DAY_MS;

/**
 * Makes the notices that follow from the oldest cause, for the channels that it concerns. What has become of the request
 * meanwhile counts: nobody is asked for a word on what is decided.
 *
 * @returns true where there was a cause.
 */
export async function makeFromNextCause(parts: MakingParts): Promise<boolean> {
  const { db, logger } = parts;
  let taken: Selectable<NoticeCauseTable> | undefined;
  try {
    await inChange(db, async (change) => {
      taken = await change.trx
        .selectFrom('notice_cause')
        .selectAll()
        .where('next_attempt_at', '<=', toDate(change.nowMs))
        .orderBy('id')
        .limit(1)
        .forUpdate()
        .skipLocked()
        .executeTakeFirst();
      if (taken === undefined) return;
      await makeFrom(parts, change, taken);
      await change.trx.deleteFrom('notice_cause').where('id', '=', taken.id).execute();
    });
  } catch (error) {
    if (taken === undefined) throw error;
    logger.error('Nobody could be told of what happened; it is tried again.', {
      kind: taken.kind,
      requestId: taken.request_id,
      reason: error instanceof Error ? error.message : 'unknown',
    });
    await putOff(parts, taken);
  }
  return taken !== undefined;
}

/** One that cannot be told stands in no other's way, and is forgotten when nobody would care any more. */
async function putOff({ db }: MakingParts, { id, at }: Selectable<NoticeCauseTable>): Promise<void> {
  await inChange(db, async ({ trx, nowMs }) => {
    if (at.getTime() + DAY_MS < nowMs) {
      await trx.deleteFrom('notice_cause').where('id', '=', id).execute();
      return;
    }
    const next = toDate(nowMs + MINUTE_MS);
    await trx.updateTable('notice_cause').set({ next_attempt_at: next }).where('id', '=', id).execute();
  });
}

/** Forgets the causes where nobody is to be told of anything. */
export async function forgetCauses({ db }: Pick<Core, 'db'>): Promise<void> {
  await db.deleteFrom('notice_cause').execute();
}

async function makeFrom(
  parts: MakingParts,
  change: Change,
  { kind, request_id, grant_id }: Selectable<NoticeCauseTable>,
): Promise<void> {
  const { settings } = parts;
  const request = await findRequest(change.trx, request_id);
  if (request === undefined) return;
  const subject = { requestId: request_id, grantId: grant_id ?? undefined };
  switch (kind) {
    case 'grant.break_glass':
    case 'grant.reviewed':
    case 'grant.revoke_stuck': {
      // Not locked: whoever ends access waits for no notice.
      const row = await change.trx
        .selectFrom('access_grant')
        .select(HELD_COLUMNS)
        .where('id', '=', grant_id)
        .executeTakeFirst();
      if (row === undefined) return;
      const grant = heldFromRow(row);
      if (kind === 'grant.revoke_stuck') {
        const draft = await draftOfGrant(change, request, grant, 'revoke_stuck', undefined);
        return makeNotices(change, settings, subject, draft, settings.operations);
      }
      if (kind === 'grant.break_glass') {
        if (grant.review?.state === 'reviewed') return;
        const until = change.nowMs + REVIEW_LINK_MS;
        const draft = await draftOfGrant(change, request, grant, 'break_glass', until);
        const channels = [...channelsFor(settings, request), ...settings.operations];
        return makeNotices(change, settings, subject, draft, channels);
      }
      const told = await channelsTold(change, subject, ['break_glass']);
      const draft = await draftOfGrant(change, request, grant, 'break_glass_reviewed', undefined);
      return makeNotices(change, settings, subject, draft, told);
    }
    case 'request.created':
    case 'request.approval_added':
    case 'request.reopened': {
      // Words that fell bring a request back to a step that its approvers were asked about before.
      const round = kind === 'request.reopened' ? `/${request.version}` : '';
      const draft = await draftOfWaiting(change, request, 'request_waiting', round);
      if (draft !== undefined) {
        await makeNotices(change, settings, subject, draft, channelsFor(settings, request));
      }
      return;
    }
    case 'request.approved':
    case 'request.denied':
    case 'request.cancelled':
    case 'request.lapsed':
      return makeClosing(parts, change, request);
    case 'request.awaiting_requester':
      return;
  }
}

async function makeClosing({ settings }: MakingParts, change: Change, request: StoredRequest): Promise<void> {
  // It may have been reopened since; then another cause tells of it.
  if (request.state === 'pending' || request.state === 'awaiting_requester') return;
  const subject = { requestId: request.id, grantId: undefined };
  const told = await channelsTold(change, subject, ['request_waiting', 'request_lapsing']);
  const draft = await draftOfClosing(change, request);
  // Who was given something at once, or took their wish back, knows.
  const waited = request.stages.length > 0 && !request.breakGlass && request.state !== 'cancelled';
  const requester = waited && settings.mail?.requesters === true ? [REQUESTERS] : [];
  await makeNotices(change, settings, subject, draft, [...told, ...requester]);
}

/** The channels that hear of a role's requests: its own, else its team's. No other team's hear of them. */
export function channelsFor(
  { teams, roles }: Pick<NoticeSettings, 'teams' | 'roles'>,
  { roleId, team }: Pick<StoredRequest, 'roleId' | 'team'>,
): readonly string[] {
  const of = (table: Readonly<Record<string, readonly string[]>>, name: string) =>
    Object.hasOwn(table, name) ? table[name] : undefined;
  return of(roles, roleId) ?? of(teams, team) ?? [];
}

/** Reminds once of a request that lapses soon, where there was time enough to answer before. */
export async function remindOfLapsing(parts: MakingParts): Promise<void> {
  const { db, settings, logger } = parts;
  for (const id of await requestsLapsingSoon(parts)) {
    try {
      await inChange(db, async (change) => {
        const request = await findRequest(change.trx, id);
        const draft = request && (await draftOfWaiting(change, request, 'request_lapsing'));
        if (request === undefined || draft === undefined) return;
        const subject = { requestId: id, grantId: undefined };
        await makeNotices(change, settings, subject, draft, channelsFor(settings, request));
      });
    } catch (error) {
      logger.error('Nobody could be reminded of a request that lapses soon; it is tried again.', {
        requestId: id,
        reason: error instanceof Error ? error.message : 'unknown',
      });
    }
  }
}

async function requestsLapsingSoon({ db, settings }: MakingParts): Promise<string[]> {
  const { remindMinutes, teams, roles } = settings;
  if (remindMinutes === 0) return [];
  const lead = sql`${remindMinutes} * interval '1 minute'`;
  const rows = await db
    .selectFrom('access_request')
    .select('id')
    .where('state', '=', 'pending')
    .where('lapses_at', '<=', sql<Date>`oam.now() + ${lead}`)
    .where('lapses_at', '>', sql<Date>`oam.now()`)
    .where('created_at', '<', sql<Date>`oam.now() - ${lead}`)
    .where(
      sql<boolean>`(role_id = any(${Object.keys(roles)}::text[]) or team = any(${Object.keys(teams)}::text[]))`,
    )
    .where(
      sql<boolean>`not exists (select from oam.notice told
        where told.request_id = access_request.id and told.kind = 'request_lapsing')`,
    )
    .limit(100)
    .execute();
  return rows.map(({ id }) => id);
}
