import { randomUUID } from 'node:crypto';

import { areFactsFresh } from '../../domain/freshness.ts';
import { isOpen, refuse, reopen, settle } from '../../domain/request.ts';
import { roleHash } from '../../domain/request-hash.ts';
import { findPrincipal } from '../authentication/principals.ts';
import type { Change } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { openGrant } from '../grants/open.ts';
import { hashOf, judge } from './judgement.ts';
import { saveRequest, type StoredRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';

/** True if the role and the policy are still those that the request was judged by. */
export function standsOnPresentGround(
  core: Core,
  request: Pick<StoredRequest, 'roleId' | 'roleHash' | 'policyVersion'>,
): boolean {
  const role = core.policy.catalogue.roles.find((candidate) => candidate.id === request.roleId);
  return (
    request.policyVersion === core.policy.hash && role !== undefined && roleHash(role) === request.roleHash
  );
}

/**
 * Judges a request anew where its role or the policy changed since. The words that were given fall; policy may now
 * refuse, ask for other approvers, or grant at once. A requester about whom too little is known now stays unjudged.
 *
 * @returns true if the request changed.
 */
export async function putOnNewGround(core: Core, change: Change, request: StoredRequest): Promise<boolean> {
  if (standsOnPresentGround(core, request) || !isOpen(request)) return false;
  return judgeAnew(core, change, request);
}

/** As {@link putOnNewGround}, also for a request whose grant was given up before anything was written. */
export async function judgeAnew(core: Core, change: Change, request: StoredRequest): Promise<boolean> {
  const role = core.policy.catalogue.roles.find((candidate) => candidate.id === request.roleId);
  const requester = await findPrincipal(change.trx, request.requester);
  if (role !== undefined && requester?.groups.kind !== 'listed') return false;
  const because = ['The role or its rules changed after this request was made.'];
  const ground = {
    hash: role === undefined ? request.hash : hashOf(core.policy, request.requester, role, request),
    policyVersion: core.policy.hash,
  };
  const decision =
    role === undefined || requester === undefined
      ? { kind: 'refused' as const, because: ['The role is no longer in the catalogue.'] }
      : judge(core.policy, requester, role, request, change.nowMs);
  const reopened = reopen(request, {
    ...ground,
    stages: decision.kind === 'needs_approval' ? decision.stages : [],
  });
  const judged: StoredRequest = {
    ...reopened,
    role: role ?? request.role,
    roleHash: roleHash(role ?? request.role),
    team: role?.team ?? request.team,
    because: [...because, ...decision.because],
  };
  if (decision.kind === 'refused') {
    const refused = refuse(judged);
    await saveRequest(change, request, refused);
    await tellOfRequest(change, 'request.denied', refused, undefined, {
      by: 'policy',
      because: refused.because,
    });
    return true;
  }
  const next = settle(judged, {
    requesterFresh: requester !== undefined && areFactsFresh(requester, change.nowMs),
    grantId: randomUUID(),
  });
  await saveRequest(change, request, next);
  await tellOfRequest(change, 'request.reopened', next, undefined, { because: next.because });
  if (next.state === 'approved') {
    await openGrant(change, core.policy.catalogue, next, undefined);
    await tellOfRequest(change, 'request.approved', next, undefined, { by: 'policy' });
  }
  return true;
}
