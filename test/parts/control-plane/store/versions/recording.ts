import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { type Kysely, sql } from 'kysely';
import * as z from 'zod/mini';

import type { Database } from '../../../../../src/control-plane/store/tables.ts';

/** What is true of a recording as a whole. */
const Heading = z.object({
  /** The last migration that had been applied. */
  migration: z.int(),
  /** The store's time when it was recorded. */
  recordedAtMs: z.int(),
  /** The origins of those around it, which its rows name. */
  places: z.object({ issuer: z.string(), prod: z.string(), dev: z.string() }),
  /** Who was in the groups, by their ids. */
  members: z.record(z.string(), z.array(z.string())),
  /** Grants, and a request that waits, by what they are there for. */
  grants: z.record(z.string(), z.string()),
  pending: z.string(),
  /** A program that had taken one of the grants over, where there were such; its token has expired long since. */
  runner: z.optional(z.object({ id: z.string(), accessToken: z.string() })),
});

/** See {@link Recording.heading}. */
export type Heading = z.infer<typeof Heading>;

/** A row as PostgreSQL makes JSON of it. */
const RecordedRow = z.object({ table: z.string(), row: z.record(z.string(), z.unknown()) });

/** A store as a version of the product left it. */
export interface Recording {
  readonly heading: Heading;
  readonly rows: readonly z.infer<typeof RecordedRow>[];
}

/** What sealed the signing keys of all recordings. */
export const SEAL_KEYS = { key: Buffer.alloc(32, 'recorded').toString('base64') };

/** Where the recorded program runs. */
export const MACHINE = 'the-machine-of-all-recordings';

/** How far a restored store's transactions are ahead of those of the server that it is restored to. */
export const ELSEWHERE_TRANSACTIONS = 1_000_000;

const ENDING = '.jsonl';

/** A recording as a file: the heading, then a row a line. */
export function recordingText({ heading, rows }: Recording): string {
  return [heading, ...rows].map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Where the recording of a version lies. */
export function recordingFile(migration: number): string {
  return path.join(import.meta.dirname, `${String(migration).padStart(4, '0')}${ENDING}`);
}

/** All that were made. */
export async function recordings(): Promise<Recording[]> {
  const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(ENDING)).sort();
  return Promise.all(
    names.map(async (name) => {
      const lines = (await readFile(path.join(import.meta.dirname, name), 'utf8')).trim().split('\n');
      const [heading, ...rows] = lines.map((line): unknown => JSON.parse(line));
      return { heading: Heading.parse(heading), rows: rows.map((row) => RecordedRow.parse(row)) };
    }),
  );
}

/** Puts a recording's rows into a store at its version, as a backup is restored; the trail as it was written. */
export async function restore(
  db: Kysely<Database>,
  { heading, rows }: Recording,
  places: Heading['places'],
): Promise<void> {
  const here = (text: string): string =>
    (['issuer', 'prod', 'dev'] as const).reduce(
      (moved, place) => moved.replaceAll(heading.places[place], places[place]),
      text,
    );
  await db.transaction().execute(async (trx) => {
    const { rows: tables } = await sql<{ name: string; columns: string[] }>`
      select table_name as name, array_agg(column_name::text order by ordinal_position) as columns
      from information_schema.columns
      where table_schema = 'oam' and table_name <> 'migration' and is_generated = 'NEVER' group by 1`.execute(
      trx,
    );
    for (const { name } of tables)
      await sql`alter table ${sql.table(`oam.${name}`)} disable trigger all`.execute(trx);
    for (const { name, columns } of tables) {
      const text = JSON.stringify(rows.filter(({ table }) => table === name).map(({ row }) => row));
      const names = sql.join(columns.map((column) => sql.ref(column)));
      const table = sql.table(`oam.${name}`);
      await sql`delete from ${table}`.execute(trx);
      await sql`
        insert into ${table} (${names}) overriding system value
        select ${names} from jsonb_populate_recordset(null::${table}, ${name === 'audit' ? text : here(text)}::jsonb)`.execute(
        trx,
      );
    }
    for (const { name } of tables)
      await sql`alter table ${sql.table(`oam.${name}`)} enable trigger all`.execute(trx);
    // The server that they come from had seen more transactions than this one.
    for (const name of ['event', 'audit']) {
      await sql`
        update ${sql.table(`oam.${name}`)}
        set transaction_id = (transaction_id::text::bigint + ${ELSEWHERE_TRANSACTIONS})::text::xid8`.execute(
        trx,
      );
    }
    for (const name of ['event', 'effect']) {
      await sql`
        select setval(pg_get_serial_sequence(${`oam.${name}`}, 'id'),
          (select coalesce(max(id), 0) + 1 from ${sql.table(`oam.${name}`)}), false)`.execute(trx);
    }
  });
}
