import { Kysely, PostgresDialect, type PostgresPool, sql } from 'kysely';
import pg from 'pg';

import { OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { startEmbeddedPostgres } from './embedded/server.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations/index.ts';
import type { ChangingPassword } from './lakebase.ts';
import type { Database } from './tables.ts';

/** The product's tables, at this version's schema. */
export interface Store {
  /** Table names are taken from the schema `oam`; in `sql` templates they are written with it. */
  readonly db: Kysely<Database>;
  /** Ends the connections, and the embedded server if there is one. */
  close(): Promise<void>;
}

/** What {@link openStore} needs. */
export interface StoreOptions {
  /** Holds the embedded database. Not touched where `databaseUrl` is given. */
  readonly dataFolder: string;
  /** A PostgreSQL (16 or later) to use in place of the embedded one. */
  readonly databaseUrl?: string | undefined;
  /** A database whose password changes, to use in place of the embedded one. */
  readonly changing?:
    { readonly connection: pg.ClientConfig; readonly password: ChangingPassword } | undefined;
  readonly logger: Logger;
  /** Calls the opening off; what has been started by then is stopped in order, and the signal's reason thrown. */
  readonly signal?: AbortSignal | undefined;
}

const DATABASE_NAME = 'oam';

const MAX_CONNECTIONS = 20;

/** PostgreSQL's number for the type `bigint`. */
const BIGINT_OID = 20;

/**
 * Opens the store: the PostgreSQL at `databaseUrl`, or the embedded one in `dataFolder`, with its schema brought
 * to this version.
 *
 * @throws {OamError} `data_folder_in_use`, `data_folder_not_ours`, `data_folder_damaged`, `postgres_missing`,
 * `postgres_cannot_run`, `postgres_failed`, `postgres_will_not_stop` from the embedded server; `store_unavailable`
 * when the database does not answer; `store_newer`, `store_changed` when its schema is not for this version.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  if (options.databaseUrl !== undefined) {
    const pool = createPool({ connectionString: options.databaseUrl }, options.logger);
    return openOn(pool, options.logger, () => Promise.resolve());
  }
  if (options.changing !== undefined) {
    const { connection, password } = options.changing;
    const pool = createPool({ ...connection, password: () => password.take() }, options.logger);
    return openOn(pool, options.logger, () => Promise.resolve(), password);
  }
  const server = await startEmbeddedPostgres(options);
  try {
    options.signal?.throwIfAborted();
    await ensureDatabase(server.connection);
    const pool = createPool({ ...server.connection, database: DATABASE_NAME }, options.logger);
    return await openOn(pool, options.logger, () => server.close());
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** A connection pool whose rows carry numbers for `bigint`, as everything that we count fits. */
export function createPool(config: pg.PoolConfig, logger: Logger): pg.Pool {
  const pool = new pg.Pool({
    max: MAX_CONNECTIONS,
    application_name: 'oam',
    types: { getTypeParser: parserFor },
    ...config,
  });
  pool.on('error', (error) => {
    logger.warn('An idle database connection broke; a new one is made when it is needed.', {
      reason: error.message,
    });
  });
  // A connection that breaks while it is in use says so to whoever waits for its answer, and besides as an event, which
  // nobody else listens to and which would then end the process.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
  return pool;
}

async function openOn(
  pool: pg.Pool,
  logger: Logger,
  stopServer: () => Promise<void>,
  password?: ChangingPassword,
): Promise<Store> {
  const connections = password === undefined ? pool : retryingPassword(pool, password);
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: connections }) });
  try {
    await answering(db);
    await migrate(db, migrations, logger);
    await warnOfMovedClock(db, logger);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await db.destroy();
    await stopServer();
  };
  return { db: db.withSchema('oam'), close: () => (closing ??= close()) };
}

/** SQLSTATE 28: the database does not know the account, or not by this password. */
const REFUSED_ACCOUNT = '28';

/**
 * A password that the database does not take any more is replaced by the next, once. It is fetched before the connection
 * is made: a server may look up what it expects before it asks.
 */
function retryingPassword(pool: pg.Pool, password: ChangingPassword): PostgresPool {
  return {
    options: pool.options,
    async connect() {
      const last = password.last();
      try {
        return await pool.connect();
      } catch (error) {
        if (!(error instanceof pg.DatabaseError) || error.code?.startsWith(REFUSED_ACCOUNT) !== true)
          throw error;
        if (last !== undefined) password.drop(last);
        await password.take();
        return pool.connect();
      }
    },
    end: () => pool.end(),
  };
}

async function answering(db: Kysely<Database>): Promise<void> {
  try {
    await sql`select 1`.execute(db);
  } catch (error) {
    throw new OamError(
      'store_unavailable',
      'The database cannot be reached. Check databaseUrl, its account and the network, then start again.',
      { detail: error instanceof Error ? error.message : 'unknown', cause: error },
    );
  }
}

async function warnOfMovedClock(db: Kysely<Database>, logger: Logger): Promise<void> {
  const { rows } = await sql<{ ahead_ms: number }>`select ahead_ms from oam.clock`.execute(db);
  const aheadMs = rows[0]?.ahead_ms ?? 0;
  if (aheadMs !== 0) logger.warn("The store's clock is moved. That is for tests only.", { aheadMs });
}

async function ensureDatabase(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE_NAME]);
    if (rowCount === 0) await client.query(`create database ${DATABASE_NAME}`);
  } finally {
    await client.end();
  }
}

function parserFor(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === BIGINT_OID && format !== 'binary') return parseCount;
  return pg.types.getTypeParser(oid, 'text') as (value: string) => unknown;
}

function parseCount(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`Too large for a number: ${text}`);
  return value;
}
