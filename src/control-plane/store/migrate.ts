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

/**
 * Held for one transaction by whoever changes the schema, so that replicas which start together queue up. It
 * dies with the transaction: nothing depends on a lock that outlives a connection.
 */
const SCHEMA_LOCK = 0x6f616d;

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
  let next: Migration | undefined;
  do {
    next = await db.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(${SCHEMA_LOCK})`.execute(transaction);
      await sql`create schema if not exists oam`.execute(transaction);
      await sql`
        create table if not exists oam.migration (
          number integer primary key,
          name text not null,
          sha256 text not null,
          applied_at timestamptz not null default clock_timestamp()
        )`.execute(transaction);
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
