import { type Delegation, revokeDelegation } from '../../domain/delegation.ts';
import { OamError } from '../../domain/errors.ts';
import { type Principal, samePrincipal } from '../../domain/principal.ts';
import type { DelegationView } from '../../protocol/delegations.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { type Change, inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { ledTeams, teamsOf } from '../roles/teams.ts';
import { lockDelegation, saveRevocation } from './rows.ts';
import { tellOfRevocation } from './tell.ts';
import { viewDelegation } from './view.ts';

/**
 * Ends a delegation at once: whoever is about to speak under it has spoken before, or speaks no more. What was decided
 * under it stays decided.
 *
 * @throws {OamError} `not_found`.
 */
export async function endDelegation(core: Core, caller: Principal, id: string): Promise<DelegationView> {
  const view = await inChange(core.db, async (change) => {
    const delegation = await lockDelegation(change, id);
    if (delegation === undefined || !(await mayEnd(core, change, caller, delegation))) {
      throw new OamError('not_found', 'There is no such delegation. Refresh the list.', { detail: id });
    }
    const next = revokeDelegation(delegation, caller, change.nowMs);
    if (next !== delegation) {
      await saveRevocation(change, next);
      await tellOfRevocation(change, core.debt, next, caller);
    }
    return viewDelegation(change.trx, next, change.nowMs);
  });
  core.wake();
  return view;
}

/** Either side, and whoever leads a team that the delegator is known to be of. */
async function mayEnd(
  core: Core,
  change: Change,
  caller: Principal,
  { delegator, delegate }: Delegation,
): Promise<boolean> {
  if (samePrincipal(caller, delegator) || samePrincipal(caller, delegate)) return true;
  const led = ledTeams(caller, core.policy.catalogue);
  const known = await findPrincipal(change.trx, delegator);
  if (led.length === 0 || known?.groups.kind !== 'listed') return false;
  return teamsOf(known, core.policy.catalogue).some((team) => led.includes(team.name));
}
