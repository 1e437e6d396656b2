import { randomUUID } from 'node:crypto';

import type * as z from 'zod/mini';

import type { JsonObject } from '../../domain/canonical.ts';
import { areFactsFresh } from '../../domain/freshness.ts';
import type { Principal } from '../../domain/principal.ts';
import { type Approval, approve, refuse, standing, windowMinutes } from '../../domain/request.ts';
import type { ApproveBody } from '../../protocol/requests.ts';
import { findPrincipal } from '../authentication/principals.ts';
import type { Change } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { voiceOf } from '../delegations/voice.ts';
import { commitGrant } from '../grants/commit.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import { withoutFallenWords } from './fallen-words.ts';
import { judge, mayApprove } from './judgement.ts';
import { saveRequest, type StoredRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';

/**
 * Adds somebody's approval to a locked request. The last one commits to the grant in the same change; policy, asked
 * again at that moment, may still refuse.
 *
 * @throws {OamError} `own_request`, `not_allowed`, `already_decided`, `window_too_long`, `groups_overflowed`,
 * `delegator_unconfirmed`, `grant_not_active`, `audit_unavailable`. After `not_allowed` nothing has been written.
 */
export async function giveApproval(
  core: Core,
  change: Change,
  request: StoredRequest,
  approver: Principal,
  body: z.output<typeof ApproveBody>,
): Promise<StoredRequest> {
  const requester = await findPrincipal(change.trx, request.requester);
  const present = await withoutFallenWords(core, change, request);
  const now = standing(present);
  const delegation = await voiceOf(
    core,
    change,
    approver,
    { ...present, approvedMinutes: body.approvedMinutes ?? present.approvedMinutes },
    now.kind === 'waiting' ? [now.stage] : [],
  );
  const next = approve(present, {
    approver,
    delegation,
    comment: body.comment,
    atMs: change.nowMs,
    approvedMinutes: body.approvedMinutes,
    requesterFresh: requester !== undefined && areFactsFresh(requester, change.nowMs),
    grantId: randomUUID(),
  });
  const word = next.approvals.at(-1);
  if (delegation === undefined) expectMayDecide(core, approver, next, word?.stage ?? 0);
  if (next.state === 'approved' && requester !== undefined) {
    const again = judge(core.policy, requester, request.role, request, change.nowMs);
    if (again.kind === 'refused') {
      const refused = { ...refuse(request), because: again.because };
      await saveRequest(change, request, refused);
      await tellOfRequest(change, 'request.denied', refused, undefined, {
        by: 'policy',
        because: [...again.because],
      });
      return refused;
    }
  }
  await saveRequest(change, request, next);
  await tellOfRequest(change, 'request.approval_added', next, approver, {
    stage: word?.stage,
    approvedMinutes: next.approvedMinutes,
    comment: body.comment,
    ...actingDetail(word),
  });
  if (next.state === 'approved') {
    await commitGrant(change, core.policy.catalogue, next, approver);
    await tellOfRequest(change, 'request.approved', next, approver, { minutes: windowMinutes(next) });
  }
  if (next.state === 'awaiting_requester') {
    await tellOfRequest(change, 'request.awaiting_requester', next, undefined);
  }
  return next;
}

/** Whose word it was, for the record, where it was a delegate's. */
export function actingDetail(word: Approval | undefined): JsonObject {
  if (word?.delegation === undefined) return {};
  const { id, delegator } = word.delegation;
  return { onBehalfOf: { iss: delegator.iss, sub: delegator.sub }, delegationId: id };
}

/** @throws {OamError} `not_allowed` where policy does not let somebody speak in a stage. */
export function expectMayDecide(
  core: Core,
  approver: Principal,
  request: StoredRequest,
  index: number,
): void {
  const verdict = mayApprove(core, approver, request, index);
  if (verdict.allowed) return;
  throw new ExplainedRefusal(
    'not_allowed',
    'The access policy does not let you decide on this request. Ask another approver.',
    verdict.because,
  );
}
