import { confirmedBy } from '../../domain/evidence.ts';
import { heldMinutes, windowMinutes } from '../../domain/request.ts';
import { requestHash } from '../../domain/request-hash.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { Core } from '../core.ts';
import type { RequestDecision, Verdict } from '../policy/facts.ts';
import type { PolicyVersion } from '../policy/version.ts';
import { seesRole, teamsOf } from '../roles/teams.ts';
import { countCharacters } from './intake.ts';
import type { StoredRequest } from './rows.ts';

/** What somebody wants. */
export type Wish = Pick<
  StoredRequest,
  'minutes' | 'purpose' | 'ticket' | 'codeContext' | 'extension' | 'startsAtMs' | 'breakGlass' | 'evidence'
>;

/**
 * What policy says to a wish now, on what is known about the requester now. Two things hold whatever its rules say, and
 * may have come to be since the wish was made: a role is its team's own, and lasts no longer than the catalogue says.
 *
 * @throws {OamError} `groups_overflowed`.
 */
export function judge(
  policy: PolicyVersion,
  principal: Principal,
  role: Role,
  wish: Omit<Wish, 'codeContext'>,
  nowMs: EpochMs,
): RequestDecision {
  const teams = teamsOf(principal, policy.catalogue);
  if (!seesRole(principal, teams, role)) {
    return { kind: 'refused', because: ["The role is none of your teams'."] };
  }
  if (wish.minutes > role.maxMinutes) {
    return {
      kind: 'refused',
      because: [`The role lasts ${role.maxMinutes} minutes at most, and this is for ${wish.minutes}.`],
    };
  }
  const held = heldMinutes(wish);
  if (held > role.maxTotalMinutes) {
    return {
      kind: 'refused',
      because: [`The role is held ${role.maxTotalMinutes} minutes in a row at most, and this makes ${held}.`],
    };
  }
  // Rules about the hour mean the hour at which access begins.
  const now = new Date(Math.max(nowMs, wish.startsAtMs ?? nowMs));
  return policy.decideRequest({
    principal,
    teams,
    role,
    minutes: held,
    extension: wish.extension !== undefined,
    breakGlass: wish.breakGlass,
    ticket: wish.ticket,
    purposeCharacters: countCharacters(wish.purpose),
    verified: confirmedBy(wish.evidence, nowMs),
    hourUtc: now.getUTCHours(),
    weekday: now.getUTCDay() === 0 ? 7 : now.getUTCDay(),
  });
}

/** What policy says, on what is known about an approver now, to their word in a stage of a request. */
export function mayApprove(
  core: Pick<Core, 'policy'>,
  approver: Principal,
  request: StoredRequest,
  index: number,
): Verdict {
  const stage = request.stages[index];
  if (stage === undefined) throw new TypeError(`The request has no such stage: ${index}`);
  return core.policy.decideApproval({
    approver,
    teams: teamsOf(approver, core.policy.catalogue),
    requester: request.requester,
    role: request.role,
    stage,
    minutes: heldMinutes({ ...request, minutes: windowMinutes(request) }),
  });
}

/** The hash that approvals of a wish are bound to. */
export function hashOf(
  policy: PolicyVersion,
  requester: Pick<Principal, 'iss' | 'sub'>,
  role: Role,
  wish: Wish,
): string {
  return requestHash({
    requester,
    role,
    policyVersion: policy.hash,
    minutes: wish.minutes,
    startsAtMs: wish.startsAtMs,
    purpose: wish.purpose,
    ticket: wish.ticket,
    codeContext: wish.codeContext && { ...wish.codeContext },
    extendsGrantId: wish.extension?.grantId,
    breakGlass: wish.breakGlass,
    evidence: wish.evidence,
  });
}
