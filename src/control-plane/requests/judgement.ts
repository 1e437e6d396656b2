import { requestHash } from '../../domain/request-hash.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { RequestDecision } from '../policy/facts.ts';
import type { PolicyVersion } from '../policy/version.ts';
import { seesRole, teamsOf } from '../roles/teams.ts';
import { countCharacters } from './intake.ts';
import type { StoredRequest } from './rows.ts';

/** What somebody wants. */
export type Wish = Pick<StoredRequest, 'minutes' | 'purpose' | 'ticket' | 'codeContext'>;

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
  wish: Pick<Wish, 'minutes' | 'purpose' | 'ticket'>,
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
  const now = new Date(nowMs);
  return policy.decideRequest({
    principal,
    teams,
    role,
    minutes: wish.minutes,
    ticket: wish.ticket,
    purposeCharacters: countCharacters(wish.purpose),
    hourUtc: now.getUTCHours(),
    weekday: now.getUTCDay() === 0 ? 7 : now.getUTCDay(),
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
    purpose: wish.purpose,
    ticket: wish.ticket,
    codeContext: wish.codeContext && { ...wish.codeContext },
  });
}
