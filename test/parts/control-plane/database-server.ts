import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { silentLogger } from '../../../src/domain/logger.ts';

/** The database that is migrated once, and that every fresh one is copied from. */
export const TEMPLATE = 'template_oam';

/** The environment variable that tells mocha's worker processes how to connect. */
const CONNECTION = 'OAM_TEST_DATABASE_SERVER';

const Connection = z.object({
  host: z.string(),
  port: z.int(),
  user: z.string(),
  password: z.string(),
  ssl: z.literal(false),
});

let wanted = false;

/** Says, while test files are loaded, that one of them needs the server. */
export function wantDatabaseServer(): void {
  wanted = true;
}

/** How to connect to the server of this run. */
export function databaseServer(): z.infer<typeof Connection> {
  return Connection.parse(JSON.parse(process.env[CONNECTION] ?? 'null'));
}

let stop: (() => Promise<void>) | undefined;

/**
 * One PostgreSQL for a whole run of mocha, for all its worker processes (`.mocharc.json` names this file). Where
 * workers load the tests, the process that starts them cannot know whether one needs it.
 */
export async function mochaGlobalSetup(this: { isParallelMode(): boolean }): Promise<void> {
  if (!wanted && !this.isParallelMode()) return;
  // Most runs need none of this.
  const { startEmbeddedPostgres } = await import('../../../src/control-plane/store/embedded/server.ts');
  const { createMigrated } = await import('./database.ts');
  const folder = await mkdtemp(join(tmpdir(), 'oam-test-'));
  const postgres = await startEmbeddedPostgres({ dataFolder: folder, logger: silentLogger });
  process.env[CONNECTION] = JSON.stringify(postgres.connection);
  stop = async () => {
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  };
  await createMigrated(TEMPLATE);
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stop?.();
}
