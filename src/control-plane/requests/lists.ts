import { sql } from 'kysely';

import type { Principal } from '../../domain/principal.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import { isFor } from '../approvers/audience.ts';
import { toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { fromCursor, toPage } from '../http/pages.ts';
import { groupsOf } from '../roles/teams.ts';
import { noSuchRequest, seesRequest } from './decide.ts';
import { findRequest, fromRow } from './rows.ts';
import { viewRequest, viewRequests } from './view.ts';

/** What a list of requests is asked for. */
export interface RequestQuery {
  readonly scope: 'mine' | 'to_approve';
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/**
 * One's own requests, or those that wait for one's word; the newest first.
 *
 * @throws {OamError} `bad_request` for a foreign cursor, `groups_overflowed`.
 */
export async function listRequests(
  core: Core,
  caller: Principal,
  query: RequestQuery,
): Promise<{ items: RequestView[]; nextCursor: string | null }> {
  const after = fromCursor(query.cursor);
  let rows = core.db
    .selectFrom('access_request')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(query.limit + 1);
  if (after !== undefined) {
    rows = rows.where(sql<boolean>`(created_at, id) < (${toDate(after[0])}, ${after[1]}::uuid)`);
  }
  if (query.scope === 'mine') {
    rows = rows.where('iss', '=', caller.iss).where('sub', '=', caller.sub);
  } else {
    groupsOf(caller);
    const own = { iss: caller.iss, sub: caller.sub };
    rows = rows
      .where('state', 'in', ['pending', 'awaiting_requester'])
      .where(isFor('awaited', caller))
      .where(sql<boolean>`(iss, sub) <> (${caller.iss}, ${caller.sub})`)
      .where(sql<boolean>`not approvals @> ${JSON.stringify([{ approver: own }])}::jsonb`);
  }
  const requests = (await rows.execute()).map(fromRow);
  const views = await viewRequests(core.db, requests.slice(0, query.limit));
  return toPage(requests, query.limit, (request) => [request.createdAtMs, request.id], views);
}

/**
 * One request, for those whom it concerns.
 *
 * @throws {OamError} `not_found`.
 */
export async function getRequest(core: Core, caller: Principal, id: string): Promise<RequestView> {
  const request = await findRequest(core.db, id);
  if (request === undefined || !seesRequest(core, caller, request)) throw noSuchRequest(id);
  return viewRequest(core.db, request);
}
