import { sql } from 'kysely';

import { isNamedBy } from '../../domain/approvers.ts';
import { type Principal, samePrincipal } from '../../domain/principal.ts';
import { awaitedStage, isOpen, speaksFor } from '../../domain/request.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import { isFor } from '../approvers/audience.ts';
import type { Core } from '../core.ts';
import { type Acting, actingOf } from '../delegations/rows.ts';
import { newestFirst, type PageQuery, toPage } from '../http/pages.ts';
import { groupsOf } from '../roles/teams.ts';
import { noSuchRequest, seesRequest } from './decide.ts';
import { findRequest, fromRow, type StoredRequest } from './rows.ts';
import { viewPerson, viewRequest, viewRequests } from './view.ts';

/** What a list of requests is asked for. */
export interface RequestQuery extends PageQuery {
  readonly scope: 'mine' | 'to_approve';
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
  const acting = query.scope === 'to_approve' ? await actingOf(core.db, caller) : [];
  let rows = newestFirst(core.db.selectFrom('access_request').selectAll(), 'created_at', query);
  if (query.scope === 'mine') {
    rows = rows.where('iss', '=', caller.iss).where('sub', '=', caller.sub);
  } else {
    groupsOf(caller);
    const own = keyOf(caller);
    const forOthers = acting.map(
      ({
        delegator,
      }) => sql<boolean>`(${isFor('awaited', delegator)} and (iss, sub) <> (${delegator.iss}, ${delegator.sub})
        and not ${spokenBy(keyOf(delegator))})`,
    );
    rows = rows
      .where('state', 'in', ['pending', 'awaiting_requester'])
      .where(sql<boolean>`(${sql.join([isFor('awaited', caller), ...forOthers], sql` or `)})`)
      .where(sql<boolean>`(iss, sub) <> (${caller.iss}, ${caller.sub})`)
      .where(sql<boolean>`not ${spokenBy(own)}`);
  }
  const requests = (await rows.execute()).map(fromRow);
  const views = await viewRequests(core.db, requests.slice(0, query.limit));
  const told = views.map((view, index) => forWhom(view, requests[index], caller, acting));
  return toPage(requests, query.limit, (request) => [request.createdAtMs, request.id], told);
}

/**
 * One request, for those whom it concerns.
 *
 * @throws {OamError} `not_found`.
 */
export async function getRequest(core: Core, caller: Principal, id: string): Promise<RequestView> {
  const request = await findRequest(core.db, id);
  if (request === undefined || !(await seesRequest(core, core.db, caller, request))) throw noSuchRequest(id);
  const acting = isOpen(request) ? await actingOf(core.db, caller) : [];
  return forWhom(await viewRequest(core.db, request), request, caller, acting);
}

/** Adds for whom somebody would decide now, where not for themselves. */
function forWhom(
  view: RequestView,
  request: StoredRequest | undefined,
  caller: Principal,
  acting: readonly Acting[],
): RequestView {
  const stage = request && awaitedStage(request);
  if (request === undefined || stage === undefined) return view;
  const waitsFor = (person: Principal): boolean =>
    person.groups.kind === 'listed' &&
    isNamedBy(stage, person) &&
    !samePrincipal(person, request.requester) &&
    !request.approvals.some((word) => speaksFor(word, person));
  if (samePrincipal(caller, request.requester) || waitsFor(caller)) return view;
  const found = acting.find(({ delegator }) => waitsFor(delegator));
  return found === undefined ? view : { ...view, actingFor: viewPerson(found.delegator) };
}

/** True in a query where somebody has given their word, or somebody else has given it for them. */
function spokenBy(key: { readonly iss: string; readonly sub: string }) {
  return sql<boolean>`(approvals @> ${JSON.stringify([{ approver: key }])}::jsonb
    or approvals @> ${JSON.stringify([{ delegation: { delegator: key } }])}::jsonb)`;
}

function keyOf({ iss, sub }: Principal) {
  return { iss, sub };
}
