import { type Selectable, sql } from 'kysely';

import { beginToken, type PersonalToken } from '../../domain/personal-token.ts';
import type { EpochMs } from '../../domain/time.ts';
import { type Change, toDate, toMs } from '../changes/change.ts';
import { type ChainEnd, leasesOfChains } from '../grants/chain-leases.ts';
import type { PersonalTokenTable } from '../store/credential-tables.ts';

/** A personal access token as it is stored. */
export interface StoredToken extends PersonalToken {
  /** Which of two tokens was committed to later. */
  readonly ordinal: number;
  /** Origin of its workspace. */
  readonly host: string;
  /** How often in a row looking after it has failed. */
  readonly attempts: number;
}

/** Stores a token that is about to be made. */
export async function insertToken(
  change: Change,
  token: {
    readonly id: string;
    readonly leaseId: string;
    readonly host: string;
    readonly expiresAtMs: EpochMs;
    /** When its making is given up. */
    readonly giveUpAtMs: EpochMs;
  },
): Promise<void> {
  const { id, leaseId, state } = beginToken(token.id, token.leaseId);
  await change.trx
    .insertInto('personal_token')
    .values({
      ...{ id, lease_id: leaseId, workspace_host: token.host, state, databricks_id: null },
      created_at: toDate(change.nowMs),
      expires_at: toDate(token.expiresAtMs),
      ...{ deleted_at: null, first_absent_at: null, gone_at: null },
      next_attempt_at: toDate(token.giveUpAtMs),
    })
    .execute();
}

/** Reads a token and keeps it from changing until the transaction ends. The grant is locked before, where both are. */
export async function lockToken(change: Change, id: string): Promise<StoredToken> {
  const row = await change.trx
    .selectFrom('personal_token')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirstOrThrow();
  return tokenFromRow(row);
}

/**
 * Writes what has become of a token.
 *
 * @param nextAttemptAtMs when it has to be looked after next.
 */
export async function saveToken(
  change: Change,
  token: PersonalToken,
  { nextAttemptAtMs, attempts }: { readonly nextAttemptAtMs: EpochMs; readonly attempts: number },
): Promise<void> {
  await change.trx
    .updateTable('personal_token')
    .set({
      state: token.state,
      databricks_id: token.databricksId ?? null,
      deleted_at: toDate(token.deletedAtMs),
      first_absent_at: toDate(token.firstAbsentAtMs),
      gone_at: token.state === 'gone' ? toDate(change.nowMs) : null,
      attempts,
      next_attempt_at: toDate(nextAttemptAtMs),
    })
    .where('id', '=', token.id)
    .execute();
}

/** How many tokens under a grant, and those that it extends, are not seen to be gone; those that live under one lease left out. */
export async function countTokens(change: Change, grant: ChainEnd, exceptLiveOf: string): Promise<number> {
  const tokens = await tokensOfChains(change, [grant]);
  return tokens.filter(
    ({ state, leaseId }) => state !== 'gone' && (state !== 'live' || leaseId !== exceptLiveOf),
  ).length;
}

/** The tokens under grants and those that they extend; each lease's are looked up by themselves, as leases are. */
export async function tokensOfChains(
  change: Change,
  grants: readonly ChainEnd[],
): Promise<Pick<StoredToken, 'id' | 'leaseId' | 'state'>[]> {
  const leases = await leasesOfChains(change, grants);
  if (leases.length === 0) return [];
  const { rows } = await sql<Pick<Selectable<PersonalTokenTable>, 'id' | 'lease_id' | 'state'>>`
    select token.* from unnest(${leases.map(({ id }) => id)}::uuid[]) as lease (id)
      cross join lateral (
        select id, lease_id, state from oam.personal_token where lease_id = lease.id offset 0
      ) as token`.execute(change.trx);
  return rows.map((row) => ({ id: row.id, leaseId: row.lease_id, state: row.state }));
}

/** A token out of its row. */
export function tokenFromRow(row: Selectable<PersonalTokenTable>): StoredToken {
  return {
    id: row.id,
    ordinal: row.ordinal,
    leaseId: row.lease_id,
    host: row.workspace_host,
    state: row.state,
    databricksId: row.databricks_id ?? undefined,
    deletedAtMs: toMs(row.deleted_at),
    firstAbsentAtMs: toMs(row.first_absent_at),
    attempts: row.attempts,
  };
}
