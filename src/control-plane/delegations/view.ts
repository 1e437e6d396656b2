import type { Kysely } from 'kysely';

import { type Delegation, delegationState } from '../../domain/delegation.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { DelegationView } from '../../protocol/delegations.ts';
import { findPrincipals } from '../authentication/principals.ts';
import { personFinder, timestamp } from '../requests/view.ts';
import type { Database } from '../store/tables.ts';

/** Delegations as those whom they concern read them. */
export async function viewDelegations(
  db: Kysely<Database>,
  delegations: readonly Delegation[],
  nowMs: EpochMs,
): Promise<DelegationView[]> {
  const keys = delegations.flatMap(({ delegator, delegate, revoked }) => [
    ...[delegator, delegate],
    ...(revoked === undefined ? [] : [revoked.by]),
  ]);
  const personOf = personFinder(await findPrincipals(db, keys));
  return delegations.map((delegation) => ({
    id: delegation.id,
    state: delegationState(delegation, nowMs),
    delegator: personOf(delegation.delegator),
    delegate: personOf(delegation.delegate),
    reason: delegation.reason,
    startsAt: timestamp(delegation.startsAtMs),
    endsAt: timestamp(delegation.endsAtMs),
    createdAt: timestamp(delegation.createdAtMs),
    revokedAt: timestamp(delegation.revoked?.atMs),
    revokedBy: delegation.revoked === undefined ? null : personOf(delegation.revoked.by),
  }));
}

/** One delegation. */
export async function viewDelegation(
  db: Kysely<Database>,
  delegation: Delegation,
  nowMs: EpochMs,
): Promise<DelegationView> {
  const [view] = await viewDelegations(db, [delegation], nowMs);
  if (view === undefined) throw new TypeError('A delegation has one view.');
  return view;
}
