import { appendFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { type Insertable, type Kysely, sql } from 'kysely';
import * as z from 'zod/mini';

import type { Logger } from '../../domain/logger.ts';
import type { Change } from '../changes/change.ts';
import type { AuditTable, Database } from '../store/tables.ts';
import { type AuditEntry, auditRow } from './record.ts';

/** Rows that the audit trail could not take yet. */
export interface AuditDebt {
  /**
   * Writes a row in the change that it tells of; where the trail cannot take it, the row waits in a file and the
   * change happens all the same. For what takes access away: ending access is never refused for want of a record.
   */
  record(change: Change, entry: AuditEntry): Promise<void>;
  /** Writes what waits in the file into the trail. Safe to repeat: rows are known by their ids. */
  drain(db: Kysely<Database>): Promise<number>;
}

const Row = z.object({
  id: z.uuid(),
  at: z.iso.datetime(),
  event: z.string(),
  actor: z.nullable(z.string()),
  request_id: z.nullable(z.string()),
  grant_id: z.nullable(z.string()),
  role_id: z.nullable(z.string()),
  detail: z.string(),
});

/** Keeps the debt in a file of the data folder, readable by the operator only. */
export function createAuditDebt(dataFolder: string, logger: Logger): AuditDebt {
  const file = path.join(dataFolder, 'audit-debt.jsonl');
  const draining = path.join(dataFolder, 'audit-debt.draining.jsonl');

  const setAside = path.join(dataFolder, 'audit-debt.refused.jsonl');

  // One after the other: a row that is appended while the file is being taken away would be lost.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work, work);
    last = turn;
    return turn;
  };

  const owe = (row: Insertable<AuditTable>): Promise<void> =>
    inTurn(async () => {
      await mkdir(dataFolder, { recursive: true, mode: 0o700 });
      await appendFile(file, `${JSON.stringify(row)}\n`, { mode: 0o600, flush: true });
    });

  /** Moves the debt aside; false where there is none. A drain that was stopped in the middle is taken up first. */
  const takeAside = async (): Promise<boolean> => {
    if ((await textOf(draining)) !== undefined) return true;
    if ((await textOf(file)) === undefined) return false;
    await rename(file, draining);
    return true;
  };

  return {
    async record(change, entry) {
      const row = auditRow(entry, change.nowMs);
      await sql`savepoint audit_row`.execute(change.trx);
      try {
        await change.trx.insertInto('audit').values(row).execute();
        await sql`release savepoint audit_row`.execute(change.trx);
      } catch (error) {
        await sql`rollback to savepoint audit_row`.execute(change.trx);
        await owe(row);
        logger.error('The audit trail cannot be written; a row of an ending access waits in a file.', {
          event: entry.event,
          reason: error instanceof Error ? error.message : 'unknown',
        });
      }
    },

    async drain(db) {
      if (!(await inTurn(takeAside))) return 0;
      const rows = parseRows((await textOf(draining)) ?? '', logger);
      const refused: Insertable<AuditTable>[] = [];
      for (const row of rows) {
        try {
          await db
            .insertInto('audit')
            .values(row)
            .onConflict((conflict) => conflict.column('id').doNothing())
            .execute();
        } catch (error) {
          // A store that is away takes none of them; a row that it refuses must not hold up those behind it.
          if (!isRefusedByStore(error)) throw error;
          refused.push(row);
        }
      }
      if (refused.length > 0) {
        await appendFile(setAside, refused.map((row) => `${JSON.stringify(row)}\n`).join(''), {
          mode: 0o600,
          flush: true,
        });
        logger.error('The audit trail refuses rows that waited; they are kept in a file beside the debt.', {
          rows: refused.length,
          file: path.basename(setAside),
        });
      }
      await rm(draining);
      if (rows.length > 0) logger.info('The audit trail took the rows that waited.', { rows: rows.length });
      return rows.length;
    },
  };
}

/** SQLSTATE class 22: the store is there, and will never take this value. */
function isRefusedByStore(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('22');
}

function parseRows(text: string, logger: Logger): Insertable<AuditTable>[] {
  const rows: Insertable<AuditTable>[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const parsed = Row.safeParse(parseJson(line));
    if (!parsed.success) {
      // The last line of a file whose writer was killed; the change that it told of was never committed.
      logger.warn('A line of the audit debt is cut off and is left out.');
      continue;
    }
    rows.push({ ...parsed.data, at: new Date(parsed.data.at), sequence: null, hash: null });
  }
  return rows;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
