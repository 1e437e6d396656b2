import { type Kysely, sql } from 'kysely';

import type { Database } from './tables.ts';

/** The columns of an insert with PostgreSQL's names of their types; a document is given as its text. */
export type InsertColumns<Name extends string> = Readonly<
  Record<Name, 'uuid' | 'text' | 'timestamptz' | 'smallint' | 'document'>
>;

/**
 * Inserts rows by one statement with one parameter, whatever their number: a statement with a parameter for each value
 * is written, parsed and planned anew for each number of rows, which costs more than the rows.
 */
export async function insertRows<Name extends string>(
  db: Kysely<Database>,
  table: keyof Database,
  columns: InsertColumns<Name>,
  rows: readonly Readonly<Record<NoInfer<Name>, string | number | Date | null>>[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = Object.keys(columns).filter((name): name is Name => name in columns);
  const listed = names.join(', ');
  const typed = names.map((name) => `${name} ${columns[name] === 'document' ? 'text' : columns[name]}`);
  const taken = names.map((name) => (columns[name] === 'document' ? `${name}::jsonb` : name));
  const given = JSON.stringify(rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name]]))));
  await sql`
    insert into ${sql.raw(`oam.${table} (${listed})`)}
    select ${sql.raw(taken.join(', '))} from json_to_recordset(${given}::json) as given(${sql.raw(typed.join(', '))})`.execute(
    db,
  );
}
