import { type Kysely, type Selectable, sql } from 'kysely';

import type { Delegation } from '../../domain/delegation.ts';
import { type Principal, type PrincipalKey, samePrincipal } from '../../domain/principal.ts';
import { findPrincipals } from '../authentication/principals.ts';
import { type Change, toDate, toMs } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import type { Database, DelegationTable } from '../store/tables.ts';

/** Writes a new delegation. */
export async function insertDelegation(change: Change, delegation: Delegation): Promise<void> {
  await change.trx
    .insertInto('delegation')
    .values({
      id: delegation.id,
      iss: delegation.delegator.iss,
      sub: delegation.delegator.sub,
      delegate_iss: delegation.delegate.iss,
      delegate_sub: delegation.delegate.sub,
      reason: delegation.reason,
      starts_at: toDate(delegation.startsAtMs),
      ends_at: toDate(delegation.endsAtMs),
      created_at: toDate(delegation.createdAtMs),
      revoked_at: null,
      revoker_iss: null,
      revoker_sub: null,
    })
    .execute();
}

/** Reads a delegation and keeps everybody from speaking under it until the transaction ends. */
export async function lockDelegation(change: Change, id: string): Promise<Delegation | undefined> {
  if (!isId(id)) return undefined;
  const row = await change.trx
    .selectFrom('delegation')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  return row && fromRow(row);
}

/** Writes how a locked delegation was ended. */
export async function saveRevocation(change: Change, { id, revoked }: Delegation): Promise<void> {
  await change.trx
    .updateTable('delegation')
    .set({
      revoked_at: toDate(revoked?.atMs),
      revoker_iss: revoked?.by.iss ?? null,
      revoker_sub: revoked?.by.sub ?? null,
    })
    .where('id', '=', id)
    .execute();
}

/** Somebody for whom another may speak now: under which delegation, and what is known about them. */
export interface Acting {
  readonly id: string;
  readonly delegator: Principal;
}

/** For whom somebody may speak now, by the delegations that hold; the oldest first. */
export async function actingOf(db: Kysely<Database>, delegate: PrincipalKey): Promise<Acting[]> {
  return withDelegators(db, await holding(db, delegate).execute());
}

/** As {@link actingOf}; none of them is revoked until the transaction ends. */
export async function lockActingOf(change: Change, delegate: PrincipalKey): Promise<Acting[]> {
  return withDelegators(change.trx, await holding(change.trx, delegate).forShare().execute());
}

function holding(db: Kysely<Database>, delegate: PrincipalKey) {
  return db
    .selectFrom('delegation')
    .selectAll()
    .where('delegate_iss', '=', delegate.iss)
    .where('delegate_sub', '=', delegate.sub)
    .where('revoked_at', 'is', null)
    .where('starts_at', '<=', sql<Date>`oam.now()`)
    .where('ends_at', '>', sql<Date>`oam.now()`)
    .orderBy('created_at')
    .orderBy('id');
}

async function withDelegators(
  db: Kysely<Database>,
  rows: readonly Selectable<DelegationTable>[],
): Promise<Acting[]> {
  const delegators = await findPrincipals(db, rows);
  return rows.flatMap((row) => {
    const delegator = delegators.find((person) => samePrincipal(person, row));
    return delegator === undefined ? [] : [{ id: row.id, delegator }];
  });
}

/** A delegation out of its row. */
export function fromRow(row: Selectable<DelegationTable>): Delegation {
  const revokedAtMs = toMs(row.revoked_at);
  return {
    id: row.id,
    delegator: { iss: row.iss, sub: row.sub },
    delegate: { iss: row.delegate_iss, sub: row.delegate_sub },
    reason: row.reason,
    startsAtMs: toMs(row.starts_at),
    endsAtMs: toMs(row.ends_at),
    createdAtMs: toMs(row.created_at),
    revoked:
      revokedAtMs === undefined
        ? undefined
        : { atMs: revokedAtMs, by: { iss: row.revoker_iss ?? '', sub: row.revoker_sub ?? '' } },
  };
}
