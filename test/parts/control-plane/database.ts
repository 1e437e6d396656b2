import { randomBytes } from 'node:crypto';

import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';

import { migrate } from '../../../src/control-plane/store/migrate.ts';
import { migrations } from '../../../src/control-plane/store/migrations/index.ts';
import { createPool, type Store } from '../../../src/control-plane/store/store.ts';
import type { Database } from '../../../src/control-plane/store/tables.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { databaseServer } from './database-server.ts';

/** The database that is migrated once, and that every fresh one is copied from. */
const TEMPLATE = 'template_oam';

let template: Promise<void> | undefined;

async function makeTemplate(): Promise<void> {
  await administer(`create database ${TEMPLATE}`);
  const pool = createPool(await connectionTo(TEMPLATE), silentLogger);
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  await migrate(db, migrations, silentLogger);
  await db.destroy();
}

async function connectionTo(database: string) {
  const { connection } = await databaseServer();
  return { ...connection, database };
}

async function administer(statement: string, database = 'postgres'): Promise<void> {
  const client = new pg.Client(await connectionTo(database));
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A store over a database of its own, and the means to move its clock. */
export interface TestStore extends Store {
  /** How another process reaches the same database. */
  readonly connection: pg.ClientConfig;
  /** Moves `oam.now()` ahead by this much more. */
  advance(ms: number): Promise<void>;
  /** The present `oam.now()`, in epoch milliseconds. */
  nowMs(): Promise<number>;
}

/** A database of its own with nothing in it, on the server of this process. */
export interface EmptyDatabase extends AsyncDisposable {
  readonly connection: pg.ClientConfig;
  /** The same as an address, which `openStore` takes. */
  readonly url: string;
  /** Runs a statement in it as its owner. */
  run(statement: string): Promise<void>;
}

/** Makes an {@link EmptyDatabase}; disposing of it drops it. */
export async function emptyDatabase(): Promise<EmptyDatabase> {
  const name = freshName();
  await administer(`create database ${name}`);
  const connection = await connectionTo(name);
  return {
    connection,
    url: addressOf(connection),
    run: (statement) => administer(statement, name),
    [Symbol.asyncDispose]: () => administer(`drop database ${name} with (force)`),
  };
}

/** A connection through a socket as an address. */
export function addressOf(connection: {
  readonly host: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}): string {
  const [user, password] = [connection.user, connection.password].map(encodeURIComponent);
  return `postgres://${user}:${password}@/${connection.database}?host=${encodeURIComponent(connection.host)}`;
}

/** A fresh, migrated store on the server of this process. `close` drops it. */
export async function freshStore(): Promise<TestStore> {
  await (template ??= makeTemplate());
  const name = freshName();
  await administer(`create database ${name} template ${TEMPLATE}`);
  return storeIn(name);
}

/** A store as far as an earlier version brought it, up to a migration's number. `close` drops it. */
export async function storeAtVersion(migration: number): Promise<TestStore> {
  const name = freshName();
  await administer(`create database ${name}`);
  const store = await storeIn(name);
  await migrate(store.db, migrations.slice(0, migration), silentLogger);
  return store;
}

async function storeIn(name: string): Promise<TestStore> {
  const connection = await connectionTo(name);
  const pool = createPool({ ...connection, max: 10 }, silentLogger);
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) }).withSchema('oam');
  let closed = false;
  return {
    db,
    connection,
    ...clockIn(db),
    async close() {
      if (closed) return;
      closed = true;
      await db.destroy();
      await administer(`drop database ${name} with (force)`);
    },
  };
}

/** The time of a store: read, and moved ahead. */
export function clockIn(db: Kysely<Database>): Pick<TestStore, 'advance' | 'nowMs'> {
  return {
    async advance(ms) {
      await sql`update oam.clock set ahead_ms = ahead_ms + ${ms}`.execute(db);
    },
    async nowMs() {
      const { rows } = await sql<{ now: Date }>`select oam.now() as now`.execute(db);
      const now = rows[0]?.now;
      if (now === undefined) throw new Error('The clock gave no answer.');
      return now.getTime();
    },
  };
}

function freshName(): string {
  return `test_${randomBytes(6).toString('hex')}`;
}
