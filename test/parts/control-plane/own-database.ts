import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';

import { startEmbeddedPostgres } from '../../../src/control-plane/store/embedded/server.ts';
import { migrate } from '../../../src/control-plane/store/migrate.ts';
import { migrations } from '../../../src/control-plane/store/migrations/index.ts';
import { createPool } from '../../../src/control-plane/store/store.ts';
import type { Database } from '../../../src/control-plane/store/tables.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { clockIn, type TestStore } from './database.ts';

/** A store on a server of its own, which can be taken away and brought back. */
export interface OwnStore extends TestStore {
  /** Stops the server: whoever asks is refused. */
  stopServer(): Promise<void>;
  /** Starts it again, where it was. */
  startServer(): Promise<void>;
  /** Stops its processes in their tracks: whoever asks waits. Undone when disposed. */
  freezeServer(): Promise<Disposable>;
}

export async function ownStore(): Promise<OwnStore> {
  const folder = await mkdtemp(path.join(tmpdir(), 'oam-own-'));
  const start = () => startEmbeddedPostgres({ dataFolder: folder, logger: silentLogger });
  let server = await start();
  const { connection } = server;
  const pool = createPool({ ...connection, database: 'postgres', max: 10 }, silentLogger);
  const root = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  await migrate(root, migrations, silentLogger);
  const db = root.withSchema('oam');
  return {
    db,
    connection: { ...connection, database: 'postgres' },
    ...clockIn(db),
    stopServer: () => server.close(),
    async startServer() {
      server = await start();
      if (server.connection.host !== connection.host) throw new Error('The server came back elsewhere.');
    },
    async freezeServer() {
      const client = new pg.Client({ ...connection, database: 'postgres' });
      await client.connect();
      const { rows } = await client.query<{ pid: number }>(
        `select pid from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'`,
      );
      const { rows: settings } = await client.query<{ pid: string }>(
        `select split_part(pg_read_file('postmaster.pid'), E'\\n', 1) as pid`,
      );
      await client.end();
      const pids = [...rows.map(({ pid }) => pid), ...settings.map(({ pid }) => Number(pid))];
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      return {
        [Symbol.dispose]() {
          for (const pid of pids) process.kill(pid, 'SIGCONT');
        },
      };
    },
    async close() {
      await root.destroy();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
