import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { OamError } from '../../../domain/errors.ts';
import { signal as send } from './processes.ts';
import { finished, type Runner } from './programs.ts';

/** The name of the database's only user. */
export const DATABASE_USER = 'oam';

/** A cluster on disk. */
export interface Cluster {
  readonly dataFolder: string;
  readonly password: string;
}

const DRAFT = 'database.draft-';

/** Where a cluster's data lie inside the control plane's data folder. */
export function clusterDataFolder(folder: string): string {
  return join(folder, 'database', 'data');
}

/**
 * Opens the cluster, making it first if there is none. It is built aside, password included, and moved into place
 * in one step: a start that is killed half-way leaves a draft that the next one clears away, never half a cluster. One that
 * is called off ends the making, leaves nothing, and throws the signal's reason.
 *
 * @throws {OamError} `data_folder_damaged` when there are data without their password, `postgres_failed` when
 * initdb fails.
 */
export async function openCluster(folder: string, runner: Runner, signal?: AbortSignal): Promise<Cluster> {
  await clearDrafts(folder);
  const place = join(folder, 'database');
  if (!(await exists(join(place, 'data', 'PG_VERSION')))) await makeCluster(folder, place, runner, signal);
  try {
    const password = (await readFile(join(place, 'password'), 'utf8')).trim();
    return { dataFolder: clusterDataFolder(folder), password };
  } catch (error) {
    throw new OamError(
      'data_folder_damaged',
      "The data folder holds a database whose password file is missing. Restore the file 'database/password' from a backup, or use another data folder.",
      { detail: folder, cause: error },
    );
  }
}

async function clearDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(DRAFT)) continue;
    try {
      await rm(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
    } catch {
      // The initdb of a killed start may still be writing there; the next start clears what it leaves.
    }
  }
}

async function makeCluster(
  folder: string,
  place: string,
  runner: Runner,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const draft = join(folder, DRAFT + randomBytes(6).toString('hex'));
  await mkdir(join(draft, 'data'), { recursive: true, mode: 0o700 });
  const passwordFile = join(draft, 'password');
  await writeFile(passwordFile, randomBytes(32).toString('base64url') + '\n', { mode: 0o600 });
  if (runner.owner) {
    for (const path of [draft, join(draft, 'data'), passwordFile]) {
      await chown(path, runner.owner.uid, runner.owner.gid);
    }
  }
  const initdb = runner.spawn(
    'initdb',
    [
      `--pgdata=${join(draft, 'data')}`,
      `--username=${DATABASE_USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-instructions',
    ],
    ['ignore', 'ignore', 'pipe'],
  );
  // With what it has started: it leads a process group of its own.
  const callOff = (): void => {
    if (initdb.pid !== undefined) send(-initdb.pid, 'SIGTERM');
  };
  signal?.addEventListener('abort', callOff);
  const { code, complaint } = await finished(initdb);
  signal?.removeEventListener('abort', callOff);
  if (code !== 0) {
    await rm(draft, { recursive: true, force: true, maxRetries: 3 });
    signal?.throwIfAborted();
    throw new OamError(
      'postgres_failed',
      'The embedded database could not be created. Check that the data folder can be written and has room, then start again.',
      { detail: complaint },
    );
  }
  try {
    await rename(draft, place);
  } catch (error) {
    throw new OamError(
      'data_folder_damaged',
      "The data folder holds a 'database' folder that is not a database. Move it away, then start again.",
      { detail: place, cause: error },
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
