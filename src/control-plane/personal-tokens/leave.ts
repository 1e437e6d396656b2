import type { Grant } from '../../domain/grant.ts';
import { type Change, toDate } from '../changes/change.ts';
import { idsOfChains } from '../grants/rows.ts';

/** The end of grants, for their tokens and those of the grants that they extend: all of them are to be deleted. */
export async function leaveTokens(change: Change, grants: readonly Pick<Grant, 'chainId'>[]): Promise<void> {
  await change.trx
    .updateTable('personal_token')
    .set({ state: 'leaving', attempts: 0, next_attempt_at: toDate(change.nowMs) })
    .where('state', 'in', ['making', 'live'])
    .where('lease_id', 'in', (eb) =>
      eb.selectFrom('credential_lease').select('id').where('grant_id', 'in', idsOfChains(grants)),
    )
    .execute();
}

/** A token takes the place of those that were committed to before it under the same lease: they are to be deleted. */
export async function leaveFormerTokens(
  change: Change,
  token: { readonly leaseId: string; readonly ordinal: number },
): Promise<void> {
  await change.trx
    .updateTable('personal_token')
    .set({ state: 'leaving', attempts: 0, next_attempt_at: toDate(change.nowMs) })
    .where('state', 'in', ['making', 'live'])
    .where('lease_id', '=', token.leaseId)
    .where('ordinal', '<', token.ordinal)
    .execute();
}
