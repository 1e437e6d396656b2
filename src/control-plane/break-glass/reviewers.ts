import { isNamedBy } from '../../domain/approvers.ts';
import { type Principal, samePrincipal } from '../../domain/principal.ts';
import type { StoredGrant } from '../grants/rows.ts';

/** True if somebody is asked to look at an emergency access. */
export function isAskedToReview(
  caller: Principal,
  ledTeams: readonly string[],
  grant: Pick<StoredGrant, 'review' | 'principal' | 'role' | 'team'>,
): boolean {
  if (grant.review === undefined || samePrincipal(caller, grant.principal)) return false;
  if (ledTeams.includes(grant.team)) return true;
  if (caller.groups.kind === 'overflowed') return false;
  return grant.role.approval.some((stage) => isNamedBy(stage, caller));
}
