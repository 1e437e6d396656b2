import path from 'node:path';
import { rename, rm } from 'node:fs/promises';

import { type Kysely, sql } from 'kysely';

import type { Logger } from '../../domain/logger.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { Change } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';
import { appendLines } from './append-lines.ts';
import { countLines, type OwedRow, readOwedRows } from './owed-rows.ts';
import { type AuditEntry, auditRow, insertAuditRows, type NewAuditRow } from './record.ts';

/** Rows that the audit trail could not take yet. */
export interface AuditDebt {
  /**
   * Writes a row in the change that it tells of; where the trail cannot take it, the row waits in a file and the
   * change happens all the same. For what takes access away: ending access is never refused for want of a record.
   */
  record(change: Change, entry: AuditEntry): Promise<void>;
  /**
   * Keeps rows of what was done while the store was away, with the times of what they tell of: they wait in the file.
   */
  owe(entries: readonly (AuditEntry & { readonly atMs: EpochMs })[]): Promise<void>;
  /** As {@link AuditDebt.record}, for many rows at once. */
  recordAll(change: Change, entries: readonly AuditEntry[]): Promise<void>;
  /**
   * Writes what waits into the trail. Safe to repeat, and to be killed in the middle: rows are known by their ids, and
   * those whose change did not happen after all are left out.
   */
  drain(db: Kysely<Database>): Promise<number>;
  /** How many rows are not in the trail, those included that it will never take. Anything but 0 is an alarm. */
  waiting(): Promise<number>;
}

/** Keeps the debt in a file of the data folder, readable by the operator only. */
export function createAuditDebt(dataFolder: string, logger: Logger): AuditDebt {
  const file = path.join(dataFolder, 'audit-debt.jsonl');
  const draining = path.join(dataFolder, 'audit-debt.draining.jsonl');
  const setAside = path.join(dataFolder, 'audit-debt.refused.jsonl');
  /** Rows that not even the file could take. They are in the log as well, in full. */
  const unwritten: OwedRow[] = [];

  // One after the other: a row that is appended while the file is being taken away would be lost.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work, work);
    last = turn;
    return turn;
  };

  const write = (target: string, rows: readonly OwedRow[]): Promise<void> =>
    rows.length === 0
      ? Promise.resolve()
      : appendLines(
          target,
          rows.map((row) => JSON.stringify(row)),
        );

  const keep = async (rows: readonly OwedRow[]): Promise<void> => {
    try {
      await inTurn(() => write(file, rows));
    } catch (error) {
      unwritten.push(...rows);
      for (const row of rows) {
        logger.error(
          'An audit row can be written neither to the trail nor to its file; it is kept in memory.',
          { reason: reasonOf(error), row: JSON.stringify(row) },
        );
      }
    }
  };

  /** Moves the debt aside. A drain that was stopped in the middle is taken up first. */
  const takeAside = async (): Promise<OwedRow[]> => {
    const rows = (await readOwedRows(draining, logger)) ?? [];
    if (rows.length > 0) return rows;
    await rm(draining, { force: true });
    if ((await countLines(file)) === 0) return [];
    await rename(file, draining);
    return (await readOwedRows(draining, logger)) ?? [];
  };

  const recordAll: AuditDebt['recordAll'] = async (change, entries) => {
    if (entries.length === 0) return;
    const rows = entries.map((entry) => auditRow(entry, change.nowMs));
    const { refusal } = await tryToWrite(change, rows);
    if (refusal === undefined) return;
    const refused: NewAuditRow[] = [];
    // One that the trail refuses does not keep the others out of it.
    for (const row of rows) {
      const alone = rows.length === 1 ? { refusal } : await tryToWrite(change, [row]);
      if (alone.refusal !== undefined) refused.push(row);
    }
    if (refused.length === 0) return;
    logger.error('The audit trail cannot be written; rows of ending access wait in a file.', {
      rows: refused.length,
      event: refused[0]?.event,
      reason: reasonOf(refusal),
    });
    const transaction_id = await transactionId(change);
    await keep(refused.map((row) => ({ ...row, at: row.at.toISOString(), transaction_id })));
  };

  return {
    record: (change, entry) => recordAll(change, [entry]),

    recordAll,

    owe: (entries) =>
      keep(
        entries.map(({ atMs, ...entry }) => {
          const row = auditRow(entry, atMs);
          return { ...row, at: row.at.toISOString() };
        }),
      ),

    async drain(db) {
      const inMemory = unwritten.splice(0);
      const tally = { written: 0, refused: [] as OwedRow[], open: [] as OwedRow[] };
      try {
        const waiting = [...inMemory, ...(await inTurn(takeAside))];
        const statusOf = rememberStatus(db);
        for (const row of waiting) {
          const status = await statusOf(row.transaction_id);
          if (status === 'in progress') tally.open.push(row);
          else if (status !== 'aborted' && !(await insert(db, row))) tally.refused.push(row);
          else if (status !== 'aborted') tally.written += 1;
        }
        await write(setAside, tally.refused);
        await inTurn(async () => {
          await write(file, tally.open);
          await rm(draining, { force: true });
        });
      } catch (error) {
        unwritten.unshift(...inMemory);
        throw error;
      }
      if (tally.refused.length > 0) {
        logger.error('The audit trail refuses rows that waited; they are kept in a file beside the debt.', {
          rows: tally.refused.length,
          file: path.basename(setAside),
        });
      }
      if (tally.written > 0)
        logger.info('The audit trail took the rows that waited.', { rows: tally.written });
      return tally.written;
    },

    async waiting() {
      const counts = await Promise.all([file, draining, setAside].map(countLines));
      return counts.reduce((sum, count) => sum + count, unwritten.length);
    },
  };
}

/** Writes rows behind a savepoint: what the trail refuses does not take the change with it. */
async function tryToWrite(
  change: Change,
  rows: readonly NewAuditRow[],
): Promise<{ readonly refusal?: unknown }> {
  await sql`savepoint audit_rows`.execute(change.trx);
  try {
    await insertAuditRows(change, rows);
    await sql`release savepoint audit_rows`.execute(change.trx);
    return {};
  } catch (refusal) {
    await sql`rollback to savepoint audit_rows`.execute(change.trx);
    return { refusal };
  }
}

/** A row waits beside its change: whether that came true is known by the transaction only. */
async function transactionId({ trx }: Change): Promise<string> {
  const { rows } = await sql<{ id: string }>`select pg_current_xact_id()::text as id`.execute(trx);
  const [row] = rows;
  if (row === undefined) throw new TypeError('The store did not tell the transaction.');
  return row.id;
}

type TransactionStatus = 'committed' | 'aborted' | 'in progress' | 'unknown';

/** Asks once for each transaction. */
function rememberStatus(db: Kysely<Database>): (id: string | undefined) => Promise<TransactionStatus> {
  const known = new Map<string, TransactionStatus>();
  return async (id) => {
    if (id === undefined) return 'unknown';
    const status = known.get(id) ?? (await statusOfTransaction(db, id));
    known.set(id, status);
    return status;
  };
}

async function statusOfTransaction(db: Kysely<Database>, id: string): Promise<TransactionStatus> {
  try {
    const { rows } = await sql<{ status: TransactionStatus | null }>`
      select pg_xact_status(${id}::xid8) as status`.execute(db);
    return rows[0]?.status ?? 'unknown';
  } catch (error) {
    // Another server's transaction, after a move: better a row too many than one too few.
    if (isRefusedByStore(error)) return 'unknown';
    throw error;
  }
}

/** False where the store will never take the row; one that it takes only later is an error. */
async function insert(db: Kysely<Database>, row: OwedRow): Promise<boolean> {
  try {
    const { id, at, event, actor, request_id, grant_id, role_id, detail } = row;
    await db
      .insertInto('audit')
      .values({
        ...{ id, at: new Date(at), event, actor, request_id, grant_id, role_id, detail },
        ...{ sequence: null, hash: null },
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
    return true;
  } catch (error) {
    if (isRefusedByStore(error)) return false;
    throw error;
  }
}

/** SQLSTATE class 22: the store is there, and will never take this value. */
function isRefusedByStore(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('22');
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
