import { sql } from 'kysely';

import { areFactsFresh } from '../../domain/freshness.ts';
import type { Principal } from '../../domain/principal.ts';
import { DAY_MS } from '../../domain/time.ts';
import type { BackgroundView } from '../../protocol/background.ts';
import { BACKGROUND_DAYS } from '../../protocol/limits.ts';
import { findPrincipal, findPrincipals } from '../authentication/principals.ts';
import { storeNowMs, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { readableGrants } from '../grants/rows.ts';
import { teamsOf } from '../roles/teams.ts';
import { noSuchRequest, seesRequest } from './decide.ts';
import { findRequest, fromRow, type StoredRequest } from './rows.ts';
import { personFinder, timestamp } from './view.ts';

/** So many of the last grants and denials are told. */
const LAST = 5;

/**
 * Who asks, and what became of what they asked before in the same team, for those who see the request.
 *
 * @throws {OamError} `not_found`.
 */
export async function getBackground(core: Core, caller: Principal, id: string): Promise<BackgroundView> {
  const request = await findRequest(core.db, id);
  if (request === undefined || !(await seesRequest(core, core.db, caller, request))) throw noSuchRequest(id);
  const nowMs = await storeNowMs(core.db);
  const since = toDate(nowMs - BACKGROUND_DAYS * DAY_MS);
  const [requester, like, grants, denials, breakGlass] = await Promise.all([
    findPrincipal(core.db, request.requester),
    likeRequests(core, request, since),
    lastGrants(core, request, since),
    lastDenials(core, request, since),
    emergencies(core, request, since),
  ]);
  return {
    requester: {
      duty: requester?.duty ?? null,
      team: request.team,
      standing: standingIn(core, requester, request.team),
      seenAt: timestamp(requester?.seenAtMs),
      fresh: requester !== undefined && areFactsFresh(requester, nowMs),
    },
    days: BACKGROUND_DAYS,
    ...{ like, grants, denials, breakGlass },
  };
}

function standingIn(
  core: Core,
  requester: Principal | undefined,
  name: string,
): BackgroundView['requester']['standing'] {
  if (requester?.groups.kind !== 'listed') return 'unknown';
  const team = teamsOf(requester, core.policy.catalogue).find((candidate) => candidate.name === name);
  if (team === undefined) return 'neither';
  return team.lead ? 'lead' : 'member';
}

async function likeRequests(
  { db }: Core,
  { id, requester, role, team }: StoredRequest,
  since: Date,
): Promise<BackgroundView['like']> {
  const rows = await db
    .selectFrom('access_request')
    .select(['state', sql<number>`count(*)::integer`.as('count')])
    .where('iss', '=', requester.iss)
    .where('sub', '=', requester.sub)
    .where('role_id', '=', role.id)
    .where('team', '=', team)
    .where('created_at', '>=', since)
    .where('id', '<>', id)
    .groupBy('state')
    .execute();
  const like = { open: 0, approved: 0, denied: 0, other: 0 };
  for (const { state, count } of rows) {
    if (state === 'approved' || state === 'denied') like[state] += count;
    else if (state === 'pending' || state === 'awaiting_requester') like.open += count;
    else like.other += count;
  }
  return like;
}

async function lastGrants(
  { db, logger }: Core,
  { requester, team }: StoredRequest,
  since: Date,
): Promise<BackgroundView['grants']> {
  const rows = await db
    .selectFrom('access_grant')
    .selectAll()
    .where('iss', '=', requester.iss)
    .where('sub', '=', requester.sub)
    .where('team', '=', team)
    .where('created_at', '>=', since)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(LAST)
    .execute();
  return readableGrants(rows, logger).map((grant) => ({
    id: grant.id,
    roleTitle: grant.role.title,
    purpose: grant.purpose,
    state: grant.state,
    endReason: grant.endReason ?? null,
    minutes: grant.minutes,
    at: timestamp(grant.createdAtMs),
  }));
}

async function lastDenials(
  { db }: Core,
  { id, requester, team }: StoredRequest,
  since: Date,
): Promise<BackgroundView['denials']> {
  const rows = await db
    .selectFrom('access_request')
    .selectAll()
    .where('iss', '=', requester.iss)
    .where('sub', '=', requester.sub)
    .where('team', '=', team)
    .where('state', '=', 'denied')
    .where('created_at', '>=', since)
    .where('id', '<>', id)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(LAST)
    .execute();
  const denied = rows.map(fromRow).map((request) => ({
    request,
    word: request.approvals.findLast(({ verdict }) => verdict === 'denied'),
  }));
  const personOf = personFinder(
    await findPrincipals(
      db,
      denied.flatMap(({ word }) => (word === undefined ? [] : [word.approver])),
    ),
  );
  return denied.map(({ request, word }) => ({
    requestId: request.id,
    roleTitle: request.role.title,
    at: timestamp(word?.atMs ?? request.createdAtMs),
    by: word === undefined ? null : personOf(word.approver),
    reason: word === undefined ? (request.because[0] ?? null) : (word.comment ?? null),
  }));
}

async function emergencies(
  { db }: Core,
  { requester, team }: StoredRequest,
  since: Date,
): Promise<BackgroundView['breakGlass']> {
  const rows = await db
    .selectFrom('access_grant')
    .select(['review', sql<number>`count(*)::integer`.as('count')])
    .where('iss', '=', requester.iss)
    .where('sub', '=', requester.sub)
    .where('team', '=', team)
    .where('created_at', '>=', since)
    .where('review', 'is not', null)
    .groupBy('review')
    .execute();
  const counts = { pending: 0, ok: 0, misuse: 0 };
  for (const { review, count } of rows) if (review !== null) counts[review] = count;
  return counts;
}
