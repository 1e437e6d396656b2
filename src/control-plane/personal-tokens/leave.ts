import { type Change, toDate } from '../changes/change.ts';
import type { ChainEnd } from '../grants/chain-leases.ts';
import { among } from '../store/among.ts';
import { tokensOfChains } from './rows.ts';

/** The end of grants, for their tokens and those of the grants that they extend: all of them are to be deleted. */
export async function leaveTokens(change: Change, grants: readonly ChainEnd[]): Promise<void> {
  const tokens = await tokensOfChains(change, grants);
  const held = tokens.filter(({ state }) => state === 'making' || state === 'live');
  if (held.length === 0) return;
  await change.trx
    .updateTable('personal_token')
    .set({ state: 'leaving', attempts: 0, next_attempt_at: toDate(change.nowMs) })
    .where('state', 'in', ['making', 'live'])
    .where(
      'id',
      '=',
      among(
        'uuid',
        held.map(({ id }) => id),
      ),
    )
    .execute();
}

/** Leases that are given back before their grants end: their tokens are to be deleted. */
export async function leaveTokensOfLeases(change: Change, leaseIds: readonly string[]): Promise<void> {
  await change.trx
    .updateTable('personal_token')
    .set({ state: 'leaving', attempts: 0, next_attempt_at: toDate(change.nowMs) })
    .where('state', 'in', ['making', 'live'])
    .where('lease_id', '=', among('uuid', leaseIds))
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
