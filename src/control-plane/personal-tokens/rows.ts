import type { Selectable } from 'kysely';

import { beginToken, type PersonalToken } from '../../domain/personal-token.ts';
import type { EpochMs } from '../../domain/time.ts';
import { type Change, toDate, toMs } from '../changes/change.ts';
import { idsOfChains } from '../grants/rows.ts';
import type { PersonalTokenTable } from '../store/tables.ts';

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
export async function countTokens(
  change: Change,
  grant: { readonly chainId: string },
  exceptLiveOf: string,
): Promise<number> {
  const row = await change.trx
    .selectFrom('personal_token as token')
    .innerJoin('credential_lease as lease', 'lease.id', 'token.lease_id')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('lease.grant_id', 'in', idsOfChains([grant]))
    .where('token.state', '<>', 'gone')
    .where((eb) => eb.or([eb('token.state', '<>', 'live'), eb('lease.id', '<>', exceptLiveOf)]))
    .executeTakeFirstOrThrow();
  return Number(row.count);
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
