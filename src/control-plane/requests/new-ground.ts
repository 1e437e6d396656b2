import { randomUUID } from 'node:crypto';

import { areFactsFresh } from '../../domain/freshness.ts';
import { hasLapsed, isOpen, refuse, reopen, settle } from '../../domain/request.ts';
import { roleHash } from '../../domain/request-hash.ts';
import type { Role } from '../../domain/role.ts';
import { minutesToMs } from '../../domain/time.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { commitGrant } from '../grants/commit.ts';
import { continuesAs } from '../grants/continue.ts';
import { findGrant } from '../grants/rows.ts';
import { hashOf, judge } from './judgement.ts';
import { lockRequest, saveRequest, type StoredRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';

const CHANGED = 'The role or its rules changed after this request was made.';

/** True if the role and the policy are still those that the request was judged by. */
function standsOnPresentGround(
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
  if (!isOpen(request) || hasLapsed(request, change.nowMs)) return false;
  if (standsOnPresentGround(core, request)) return false;
  return judgeAnew(core, change, request);
}

/**
 * Judges every open request anew that another version of the policy was asked about, after a version came into force:
 * whoever may approve now shall see it, and whoever may not any more shall not. One that cannot be judged stands in
 * nobody else's way; it is judged when somebody decides on it.
 */
export async function putAllOnNewGround(core: Core): Promise<void> {
  const open = await core.db
    .selectFrom('access_request')
    .select('id')
    .where('state', 'in', ['pending', 'awaiting_requester'])
    .where('policy_version', '<>', core.policy.hash)
    .orderBy('created_at')
    .execute();
  for (const { id } of open) {
    try {
      await inChange(core.db, async (change) => {
        const request = await lockRequest(change, id);
        if (request !== undefined) await putOnNewGround(core, change, request);
      });
    } catch (error) {
      core.logger.error('A request could not be judged by the policy that decides now.', {
        requestId: id,
        reason: error instanceof Error ? error.message : 'unknown',
      });
    }
  }
  if (open.length > 0) core.wake();
}

/** As {@link putOnNewGround}, also for a request whose grant was given up before anything was written. */
export async function judgeAnew(
  core: Core,
  change: Change,
  request: StoredRequest,
  why = CHANGED,
): Promise<boolean> {
  const role = core.policy.catalogue.roles.find((candidate) => candidate.id === request.roleId);
  if (role === undefined) {
    await refuseOnNewGround(core, change, request, ['The role is no longer in the catalogue.'], why);
    return true;
  }
  if (await givesSomethingElse(core, change, request, role)) {
    await refuseOnNewGround(
      core,
      change,
      request,
      ['What the role gives now is no extension of what is held.'],
      why,
    );
    return true;
  }
  const requester = await findPrincipal(change.trx, request.requester);
  if (requester?.groups.kind !== 'listed') return false;
  const decision = judge(core.policy, requester, role, request, change.nowMs);
  if (decision.kind === 'refused') {
    await refuseOnNewGround(core, change, request, decision.because, why);
    return true;
  }
  const reopened = reopen(request, {
    hash: hashOf(core.policy, request.requester, role, request),
    policyVersion: core.policy.hash,
    stages: decision.kind === 'needs_approval' ? decision.stages : [],
    lapsesAtMs: change.nowMs + minutesToMs(core.lapseMinutes),
  });
  const judged: StoredRequest = {
    ...reopened,
    role,
    roleHash: roleHash(role),
    team: role.team,
    because: [why, ...decision.because],
  };
  const next = settle(judged, {
    requesterFresh: areFactsFresh(requester, change.nowMs),
    grantId: randomUUID(),
    atMs: change.nowMs,
  });
  await saveRequest(change, request, next);
  await tellOfRequest(change, 'request.reopened', next, undefined, { because: next.because });
  if (next.state === 'approved') {
    await commitGrant(change, core.policy.catalogue, next, undefined);
    await tellOfRequest(change, 'request.approved', next, undefined, { by: 'policy' });
  }
  return true;
}

/** The request ends as what it was when it was made: those who could see it see how it ended, and nobody else does. */
async function refuseOnNewGround(
  core: Core,
  change: Change,
  request: StoredRequest,
  because: readonly string[],
  why: string,
): Promise<void> {
  const { hash, stages, lapsesAtMs } = request;
  const reopened = reopen(request, { hash, stages, lapsesAtMs, policyVersion: core.policy.hash });
  const refused: StoredRequest = { ...refuse(reopened), because: [why, ...because] };
  await saveRequest(change, request, refused);
  await tellOfRequest(change, 'request.denied', refused, undefined, {
    by: 'policy',
    because: refused.because,
  });
}

async function givesSomethingElse(
  core: Core,
  change: Change,
  { extension }: StoredRequest,
  role: Role,
): Promise<boolean> {
  if (extension === undefined) return false;
  const grant = await findGrant(change.trx, extension.grantId);
  return grant === undefined || !continuesAs(role, core.policy.catalogue, grant);
}
