import type { Kysely } from 'kysely';
import type * as z from 'zod/mini';

import { isNamedBy } from '../../domain/approvers.ts';
import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import { samePrincipal } from '../../domain/principal.ts';
import { cancel, deny } from '../../domain/request.ts';
import { type ReasonBody, RequestView } from '../../protocol/schemas.ts';
import type { ApproveBody } from '../../protocol/requests.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { actingOf } from '../delegations/rows.ts';
import { voiceOf } from '../delegations/voice.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { isAuditor, ledTeams } from '../roles/teams.ts';
import type { Database } from '../store/tables.ts';
import { actingDetail, expectMayDecide, giveApproval } from './approval.ts';
import { lapseIfDue } from './lapse.ts';
import { putOnNewGround } from './new-ground.ts';
import { changedMeanwhile, lockRequest, saveRequest, type StoredRequest } from './rows.ts';
import { expectFresh } from './submit.ts';
import { tellOfRequest } from './tell.ts';
import { viewRequest } from './view.ts';

/** A decision on one request at the version that its sender saw. */
export interface Decision {
  readonly requestId: string;
  /** From `If-Match`; undefined where the sender did not say. */
  readonly version: number | undefined;
}

/**
 * Approves a request. The last approval commits to the grant in the same change.
 *
 * @throws {OamError} `not_found`, `precondition_failed`, `own_request`, `not_allowed`, `already_decided`,
 * `window_too_long`, `groups_overflowed`, `sign_in_again`, `idempotency_key_reused`, `audit_unavailable`.
 */
export async function approveRequest(
  core: Core,
  intent: Intent,
  decision: Decision,
  body: z.output<typeof ApproveBody>,
): Promise<RequestView> {
  return decide(core, intent, decision, (change, request) =>
    giveApproval(core, change, request, intent.caller, body),
  );
}

/**
 * Denies a request, for good.
 *
 * @throws {OamError} as {@link approveRequest}.
 */
export async function denyRequest(
  core: Core,
  intent: Intent,
  decision: Decision,
  body: z.output<typeof ReasonBody>,
): Promise<RequestView> {
  return decide(core, intent, decision, async (change, request) => {
    const { caller } = intent;
    const delegation = await voiceOf(core, change, caller, request, [...request.stages.keys()]);
    const next = deny(request, { approver: caller, delegation, comment: body.reason, atMs: change.nowMs });
    const word = next.approvals.at(-1);
    if (delegation === undefined) expectMayDecide(core, caller, next, word?.stage ?? 0);
    const detail = { reason: body.reason, ...actingDetail(word) };
    return save(change, request, next, 'request.denied', caller, detail);
  });
}

/**
 * The requester takes a request back.
 *
 * @throws {OamError} `not_found`, `precondition_failed`, `not_allowed`, `already_decided`, `idempotency_key_reused`.
 */
export async function cancelRequest(core: Core, intent: Intent, decision: Decision): Promise<RequestView> {
  return inChange(core.db, (change) =>
    once(change, intent, RequestView, async () => {
      const request = await lockVisible(core, change, intent.caller, decision);
      const next = await save(
        change,
        request,
        cancel(request, intent.caller, change.nowMs),
        'request.cancelled',
        intent.caller,
      );
      return viewRequest(change.trx, next);
    }),
  );
}

/** True if somebody may know that a request exists: also where they may speak for another who may. */
export async function seesRequest(
  core: Core,
  db: Kysely<Database>,
  caller: Principal,
  request: StoredRequest,
): Promise<boolean> {
  if (isConcerned(core, caller, request)) return true;
  return (await actingOf(db, caller)).some(({ delegator }) => isApprover(delegator, request));
}

function isApprover(person: Principal, request: StoredRequest): boolean {
  return person.groups.kind === 'listed' && request.stages.some((stage) => isNamedBy(stage, person));
}

function isConcerned(core: Core, caller: Principal, request: StoredRequest): boolean {
  if (samePrincipal(caller, request.requester) || isAuditor(caller)) return true;
  return isApprover(caller, request) || ledTeams(caller, core.policy.catalogue).includes(request.team);
}

/** What is answered where there is no such request for the caller. */
export function noSuchRequest(id: string): OamError {
  return new OamError('not_found', 'There is no such request. Refresh the list.', { detail: id });
}

async function decide(
  core: Core,
  intent: Intent,
  decision: Decision,
  work: (change: Change, request: StoredRequest) => Promise<StoredRequest>,
): Promise<RequestView> {
  if (decision.version === undefined) {
    throw new OamError(
      'precondition_required',
      'Say which version of the request you decide on: send its ETag in If-Match.',
    );
  }
  // Committed by itself: what has come to be must stay so even though the caller is told to look again.
  const moved = await inChange(core.db, async (change) => {
    const request = await lockRequest(change, decision.requestId);
    if (request === undefined || !(await seesRequest(core, change.trx, intent.caller, request))) return false;
    return (await lapseIfDue(change, request)) || (await putOnNewGround(core, change, request));
  });
  if (moved) core.wake();
  const view = await inChange(core.db, (change) =>
    once(change, intent, RequestView, async () => {
      expectFresh(intent.caller, change.nowMs);
      const request = await lockVisible(core, change, intent.caller, decision);
      return viewRequest(change.trx, await work(change, request));
    }),
  );
  core.wake();
  return view;
}

async function lockVisible(
  core: Core,
  change: Change,
  caller: Principal,
  decision: Decision,
): Promise<StoredRequest> {
  const request = await lockRequest(change, decision.requestId);
  if (request === undefined || !(await seesRequest(core, change.trx, caller, request))) {
    throw noSuchRequest(decision.requestId);
  }
  if (decision.version !== undefined && decision.version !== request.version) throw changedMeanwhile();
  return request;
}

async function save(
  change: Change,
  previous: StoredRequest,
  next: StoredRequest,
  kind: Parameters<typeof tellOfRequest>[1],
  actor: Principal | undefined,
  detail: Parameters<typeof tellOfRequest>[4] = {},
): Promise<StoredRequest> {
  await saveRequest(change, previous, next);
  await tellOfRequest(change, kind, next, actor, detail);
  return next;
}
