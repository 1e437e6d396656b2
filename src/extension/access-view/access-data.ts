import type { ControlPlaneClient } from '../../protocol/client.ts';
import { PAGE_MAX_ROWS } from '../../protocol/limits.ts';
import type { Me } from '../../protocol/person.ts';
import type { GrantView, RequestView, RoleView } from '../../protocol/schemas.ts';
import { allPages } from '../../protocol/all-pages.ts';

/** What the side bar shows, as the control plane told it at one moment. */
export interface AccessData {
  readonly me: Me;
  readonly roles: readonly RoleView[];
  /** The person's own requests, open and lately closed. */
  readonly requests: readonly RequestView[];
  /** The person's own grants that are not over. */
  readonly grants: readonly GrantView[];
  /** Requests of others that wait for the person. */
  readonly toApprove: readonly RequestView[];
  /** Emergency access of others that waits for the person's review. */
  readonly toReview: readonly GrantView[];
}

/** Reads everything at once. */
export async function loadAccess(client: ControlPlaneClient, signal?: AbortSignal): Promise<AccessData> {
  const withSignal = signal === undefined ? {} : { signal };
  const me = await client.call('getMe', withSignal);
  const [roles, requests, grants, toApprove, toReview] = await Promise.all([
    client.call('listRoles', withSignal),
    // The newest are on the first page: nobody reads more of their own history in a side bar.
    client.call('listRequests', { query: { scope: 'mine', limit: PAGE_MAX_ROWS }, ...withSignal }),
    allPages((query) =>
      client.call('listGrants', { query: { ...query, scope: 'mine', open: 'true' }, ...withSignal }),
    ),
    allPages((query) =>
      client.call('listRequests', { query: { ...query, scope: 'to_approve' }, ...withSignal }),
    ),
    allPages((query) =>
      client.call('listGrants', { query: { ...query, scope: 'to_review' }, ...withSignal }),
    ),
  ]);
  return {
    me,
    roles: roles.items,
    requests: requests.items,
    grants,
    toApprove,
    toReview,
  };
}

/** True for somebody who leads a team. */
export function leadsTeam(me: Pick<Me, 'teams'>): boolean {
  return me.teams.some((team) => team.lead);
}

/** True for somebody who leads a team, or whose word a request or an emergency access waits for. */
export function approves({
  me,
  toApprove,
  toReview,
}: Pick<AccessData, 'me' | 'toApprove' | 'toReview'>): boolean {
  return toApprove.length > 0 || toReview.length > 0 || leadsTeam(me);
}

/** True for a request that still waits for somebody. */
export function isOpenRequest({ state }: Pick<RequestView, 'state'>): boolean {
  return state === 'pending' || state === 'awaiting_requester';
}

/** True for a grant that waits for a start of its own. */
export function isAhead({ state, startsAt }: Pick<GrantView, 'state' | 'startsAt'>): boolean {
  return state === 'scheduled' && startsAt !== null;
}

/** True while Databricks is being written to for a grant. */
export function isMoving(grant: Pick<GrantView, 'state' | 'startsAt'>): boolean {
  const { state } = grant;
  return (
    (state === 'scheduled' && !isAhead(grant)) ||
    state === 'provisioning' ||
    state === 'revoking' ||
    state === 'revoke_stuck'
  );
}

/** Something that a person wants to hear of without looking. */
export type Notice =
  | { readonly kind: 'grantActive'; readonly grant: GrantView }
  | { readonly kind: 'grantFailed'; readonly grant: GrantView }
  /** The grant is over; its last facts have to be read. */
  | { readonly kind: 'grantGone'; readonly grantId: string }
  /** Somebody took access in an emergency, which the person is to review. */
  | { readonly kind: 'brokeGlass'; readonly grant: GrantView }
  | { readonly kind: 'requestDenied'; readonly request: RequestView }
  | { readonly kind: 'requestLapsed'; readonly request: RequestView };

/** What changed for the person between two readings. Nothing is said about the first one. */
export function noticesBetween(before: AccessData | undefined, after: AccessData): Notice[] {
  if (before === undefined) return [];
  const notices: Notice[] = [];
  const grantsBefore = new Map(before.grants.map((grant) => [grant.id, grant]));
  const requestsBefore = new Map(before.requests.map((request) => [request.id, request]));
  for (const grant of after.grants) {
    const old = grantsBefore.get(grant.id);
    if (old?.state === grant.state) continue;
    if (grant.state === 'active') notices.push({ kind: 'grantActive', grant });
    if (grant.state === 'failed') notices.push({ kind: 'grantFailed', grant });
  }
  const still = new Set(after.grants.map(({ chainId }) => chainId));
  for (const grant of before.grants) {
    if (!still.has(grant.chainId) && grant.state !== 'failed') {
      notices.push({ kind: 'grantGone', grantId: grant.id });
    }
  }
  const knownToReview = new Set(before.toReview.map(({ id }) => id));
  for (const grant of after.toReview) {
    if (!knownToReview.has(grant.id)) notices.push({ kind: 'brokeGlass', grant });
  }
  for (const request of after.requests) {
    const old = requestsBefore.get(request.id);
    if (old === undefined || !isOpenRequest(old)) continue;
    if (request.state === 'denied') notices.push({ kind: 'requestDenied', request });
    if (request.state === 'lapsed') notices.push({ kind: 'requestLapsed', request });
  }
  return notices;
}
