import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';

import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/control-plane/store/embedded/server.ts';
import { migrate } from '../../../src/control-plane/store/migrate.ts';
import { migrations } from '../../../src/control-plane/store/migrations/index.ts';
import { createPool, type Store } from '../../../src/control-plane/store/store.ts';
import type { Database } from '../../../src/control-plane/store/tables.ts';
import { silentLogger } from '../../../src/domain/logger.ts';

const TEMPLATE = 'template_oam';

let server: Promise<{ postgres: EmbeddedPostgres; folder: string }> | undefined;

/** One server for the whole run, with one migrated database that the fresh ones are copied from. */
async function startServer() {
  const folder = await mkdtemp(join(tmpdir(), 'oam-test-'));
  const postgres = await startEmbeddedPostgres({ dataFolder: folder, logger: silentLogger });
  await administer(postgres, `create database ${TEMPLATE}`);
  const pool = createPool({ ...postgres.connection, database: TEMPLATE }, silentLogger);
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  await migrate(db, migrations, silentLogger);
  await db.destroy();
  return { postgres, folder };
}

async function administer(postgres: EmbeddedPostgres, statement: string): Promise<void> {
  const client = new pg.Client({ ...postgres.connection, database: 'postgres' });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A store over a database of its own, and the means to move its clock. */
export interface TestStore extends Store {
  /** Moves `oam.now()` ahead by this much more. */
  advance(ms: number): Promise<void>;
  /** The present `oam.now()`, in epoch milliseconds. */
  nowMs(): Promise<number>;
}

/** A fresh, migrated store on the shared embedded server. `close` drops it. */
export async function freshStore(): Promise<TestStore> {
  server ??= startServer();
  const { postgres } = await server;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(postgres, `create database ${name} template ${TEMPLATE}`);
  const pool = createPool({ ...postgres.connection, database: name, max: 10 }, silentLogger);
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }).withSchema('oam');
  let closed = false;
  return {
    db,
    async advance(ms) {
      await sql`update oam.clock set ahead_ms = ahead_ms + ${ms}`.execute(db);
    },
    async nowMs() {
      const { rows } = await sql<{ now: Date }>`select oam.now() as now`.execute(db);
      const now = rows[0]?.now;
      if (now === undefined) throw new Error('The clock gave no answer.');
      return now.getTime();
    },
    async close() {
      if (closed) return;
      closed = true;
      await db.destroy();
      await administer(postgres, `drop database ${name} with (force)`);
    },
  };
}

// In the root suite, so that the server ends with the run and not with the first file that used it.
after(async function () {
  this.timeout(60_000);
  if (server === undefined) return;
  const { postgres, folder } = await server;
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
});
