import { nothingOutlives } from '../../domain/grant.ts';
import { confirmRevoked } from '../../domain/lease.ts';
import { backoffMs } from '../../domain/backoff.ts';
import type { PersonalToken } from '../../domain/personal-token.ts';
import type { EpochMs } from '../../domain/time.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { fromRow as leaseFromRow } from '../credentials/leases.ts';
import { type HeldGrant, lockHeldGrants, saveGrants } from '../grants/rows.ts';
import { tellAgain } from '../grants/tell.ts';
import { lockToken, saveToken, type StoredToken } from './rows.ts';

/** What turning what was seen of tokens into what is so needs. */
export interface SettlingParts extends Pick<Core, 'db' | 'debt' | 'logger'> {
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** A step of a token; `retryAtMs` is when it has to be looked after again, sooner than its attempts say. */
export type TokenStep = (
  token: StoredToken,
  nowMs: EpochMs,
) => { readonly next: PersonalToken; readonly retryAtMs?: EpochMs };

/** Stores a step of a token. Once it is seen to be gone, so is its lease, and what was said to outlive its grant. */
export async function settleToken(parts: SettlingParts, tokenId: string, step: TokenStep): Promise<void> {
  await inChange(parts.db, async (change) => {
    const grants = await lockGrantsOf(change, tokenId);
    const token = await lockToken(change, tokenId);
    const { next, retryAtMs } = step(token, change.nowMs);
    const attempts = token.attempts + 1;
    await saveToken(change, next, {
      attempts,
      nextAttemptAtMs: retryAtMs ?? change.nowMs + backoffMs(attempts, parts.random()),
    });
    if (next.state !== 'gone' || token.state === 'gone') return;
    await parts.debt.record(change, {
      event: 'personal_token.gone',
      ...about(grants),
      detail: { leaseId: token.leaseId, token: token.id, databricksId: next.databricksId },
    });
    await revokeLease(change, token.leaseId);
    await forgetOutliving(change, grants);
  });
}

/** The grants of the chain that a token was made under. */
async function lockGrantsOf(change: Change, tokenId: string): Promise<HeldGrant[]> {
  const rows = await change.trx
    .selectFrom('personal_token as token')
    .innerJoin('credential_lease as lease', 'lease.id', 'token.lease_id')
    .innerJoin('access_grant as held', 'held.id', 'lease.grant_id')
    .innerJoin('access_grant as linked', 'linked.chain_id', 'held.chain_id')
    .select('linked.id')
    .where('token.id', '=', tokenId)
    .execute();
  return lockHeldGrants(
    change,
    rows.map(({ id }) => id),
  );
}

/** A lease that outlives its grant is revoked when its last token is gone. */
async function revokeLease(change: Change, leaseId: string): Promise<void> {
  const left = await change.trx
    .selectFrom('personal_token')
    .select('id')
    .where('lease_id', '=', leaseId)
    .where('state', '<>', 'gone')
    .limit(1)
    .executeTakeFirst();
  if (left !== undefined) return;
  const row = await change.trx
    .selectFrom('credential_lease')
    .selectAll()
    .where('id', '=', leaseId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  if (row.state !== 'outlives') return;
  const { status } = confirmRevoked(leaseFromRow(row), change.nowMs);
  if (status.state !== 'revoked') return;
  await change.trx
    .updateTable('credential_lease')
    .set({ state: 'revoked', revoked_at: toDate(status.revokedAtMs), outlives_what: null })
    .where('id', '=', leaseId)
    .execute();
}

/** Where no lease of the chain outlives it any more, nothing is said to. */
async function forgetOutliving(change: Change, grants: readonly HeldGrant[]): Promise<void> {
  const told = grants.filter(({ outlives }) => outlives !== undefined);
  if (told.length === 0) return;
  const left = await change.trx
    .selectFrom('credential_lease')
    .select('id')
    .where(
      'grant_id',
      'in',
      grants.map(({ id }) => id),
    )
    .where('state', '=', 'outlives')
    .limit(1)
    .executeTakeFirst();
  if (left !== undefined) return;
  const changes = told.map((grant) => ({ previous: grant, next: nothingOutlives(grant) }));
  await saveGrants(change, changes);
  await tellAgain(
    change,
    changes.map(({ next }) => next),
  );
}

function about(grants: readonly HeldGrant[]) {
  const last = grants.find(({ successorId }) => successorId === undefined);
  return last && { requestId: last.requestId, grantId: last.id, roleId: last.roleId };
}
