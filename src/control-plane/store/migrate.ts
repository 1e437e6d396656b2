import { createHash } from 'node:crypto';

import { type Kysely, sql } from 'kysely';

import { OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';

/** One step forward of the schema. There are no steps back. */
export interface Migration {
  /** 1, 2, 3, … without gaps. */
  readonly number: number;
  readonly name: string;
  /** One or more statements; run in one transaction together with the record that they ran. */
  readonly sql: string;
}

interface Applied {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
}

/** SQLSTATE of who makes what another replica is just making: its name is taken, or will be in a moment. */
const MADE_BY_ANOTHER = new Set(['23505', '42P06', '42P07']);

/** Nobody makes the same thing more often at once. */
const ATTEMPTS_TO_MAKE = 20;

/**
 * Brings the store's schema to this version.
 *
 * @throws {OamError} `store_newer` when a later version of the product has been here, `store_changed` when an
 * applied step is not the one that this version knows.
 */
export async function migrate<Tables>(
  db: Kysely<Tables>,
  migrations: readonly Migration[],
  logger: Logger,
): Promise<void> {
  migrations.forEach((migration, index) => {
    if (migration.number !== index + 1) {
      throw new TypeError(`Migrations are numbered 1, 2, 3, …: ${migration.name} is ${migration.number}`);
    }
  });
  await makeRecord(db);
  let next: Migration | undefined;
  do {
    next = await db.transaction().execute(async (transaction) => {
      // Replicas that start together queue up here. It goes with the transaction, whatever becomes of the connection, and
      // whoever only reads does not wait.
      await sql`lock table oam.migration in share row exclusive mode`.execute(transaction);
      const applied = await sql<Applied>`
        select number, name, sha256 from oam.migration order by number`.execute(transaction);
      const step = nextStep(migrations, applied.rows);
      if (step === undefined) return undefined;
      await sql.raw(step.sql).execute(transaction);
      await sql`insert into oam.migration (number, name, sha256)
        values (${step.number}, ${step.name}, ${fingerprint(step)})`.execute(transaction);
      return step;
    });
    if (next) logger.info('The schema moved forward.', { migration: next.number, name: next.name });
  } while (next);
}

/** Makes the record of what was applied, in a database that has none yet. */
async function makeRecord<Tables>(db: Kysely<Tables>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await db.transaction().execute(async (transaction) => {
        const { rows } = await sql<{ schema: boolean; record: boolean }>`
          select to_regnamespace('oam') is not null as schema, to_regclass('oam.migration') is not null as record`.execute(
          transaction,
        );
        const [there] = rows;
        // Not "if not exists": that asks for the right to make it even where it is there.
        if (there?.schema !== true) await sql`create schema oam`.execute(transaction);
        if (there?.record === true) return;
        await sql`
          create table oam.migration (
            number integer primary key,
            name text not null,
            sha256 text not null,
            applied_at timestamptz not null default clock_timestamp()
          )`.execute(transaction);
      });
      return;
    } catch (error) {
      if (attempt === ATTEMPTS_TO_MAKE || !isMadeByAnother(error)) throw error;
    }
  }
}

function isMadeByAnother(error: unknown): boolean {
  return error instanceof Error && 'code' in error && MADE_BY_ANOTHER.has(String(error.code));
}

function nextStep(migrations: readonly Migration[], applied: readonly Applied[]): Migration | undefined {
  for (const row of applied) {
    const known = migrations[row.number - 1];
    if (known === undefined) {
      throw new OamError(
        'store_newer',
        'A newer version of OAM has changed this database. Start that version, or restore a backup from before.',
        { detail: `migration ${row.number} (${row.name})` },
      );
    }
    if (known.name !== row.name || fingerprint(known) !== row.sha256) {
      throw new OamError(
        'store_changed',
        'This database was built by a different edition of OAM. Start the edition that built it, or begin with an empty database.',
        { detail: `migration ${row.number} (${row.name})` },
      );
    }
  }
  return migrations[applied.length];
}

function fingerprint(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex');
}
