import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { EmbeddedPostgres } from '../../../src/control-plane/store/embedded/server.ts';
import { silentLogger } from '../../../src/domain/logger.ts';

/** The environment variable that names the folder in which mocha's processes keep their servers. */
const FOLDER = 'OAM_TEST_DATABASES';

/** Servers end with their processes, a moment later. */
const GONE_WITHIN_MS = 20_000;

let server: Promise<EmbeddedPostgres> | undefined;

/**
 * The PostgreSQL of this process, started when it is first wanted. Each of mocha's workers has one of its own: what
 * one of them leaves open holds back the events of all databases of a server.
 */
export function databaseServer(): Promise<EmbeddedPostgres> {
  return (server ??= start());
}

async function start(): Promise<EmbeddedPostgres> {
  const folder = process.env[FOLDER];
  if (folder === undefined) throw new Error('Only mocha can start the database server of the tests.');
  // Most runs need none of this.
  const { startEmbeddedPostgres } = await import('../../../src/control-plane/store/embedded/server.ts');
  return startEmbeddedPostgres({ dataFolder: join(folder, String(process.pid)), logger: silentLogger });
}

/** `.mocharc.json` names this file. */
export async function mochaGlobalSetup(): Promise<void> {
  process.env[FOLDER] = await mkdtemp(join(tmpdir(), 'oam-test-'));
}

export async function mochaGlobalTeardown(): Promise<void> {
  await (await server)?.close();
  const folder = process.env[FOLDER];
  if (folder === undefined) return;
  const runs = async (): Promise<boolean> =>
    (await readdir(folder)).some((name) => existsSync(join(folder, name, 'database/data/postmaster.pid')));
  const deadline = performance.now() + GONE_WITHIN_MS;
  while (performance.now() < deadline && (await runs())) await delay(20);
  await rm(folder, { recursive: true, force: true });
}
