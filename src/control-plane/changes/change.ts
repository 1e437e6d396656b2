import { type Kysely, sql, type Transaction } from 'kysely';

import type { EpochMs } from '../../domain/time.ts';
import type { Database } from '../store/tables.ts';

/**
 * One change of the store: everything that is written through `trx` becomes true at once or not at all. It has one
 * point in time, the store's.
 */
export interface Change {
  readonly trx: Transaction<Database>;
  readonly nowMs: EpochMs;
}

/** Runs a change and commits it; rolls it back when `work` throws. */
export async function inChange<T>(db: Kysely<Database>, work: (change: Change) => Promise<T>): Promise<T> {
  return db.transaction().execute(async (trx) => work({ trx, nowMs: await storeNowMs(trx) }));
}

/** The store's time, in milliseconds since the epoch. */
export async function storeNowMs(db: Kysely<Database>): Promise<EpochMs> {
  const { rows } = await sql<{ now: Date }>`select oam.now() as now`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new TypeError('The store did not tell the time.');
  return row.now.getTime();
}

/** A point in time as the store's driver takes it. */
export function toDate(at: EpochMs): Date;
export function toDate(at: EpochMs | undefined): Date | null;
export function toDate(at: EpochMs | undefined): Date | null {
  return at === undefined ? null : new Date(at);
}

/** A point in time as the rules take it. */
export function toMs(at: Date): EpochMs;
export function toMs(at: Date | null): EpochMs | undefined;
export function toMs(at: Date | null): EpochMs | undefined {
  return at?.getTime();
}
