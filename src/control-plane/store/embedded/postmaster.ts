import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

import { OamError } from '../../../domain/errors.ts';
import type { Logger } from '../../../domain/logger.ts';
import { SECOND_MS } from '../../../domain/time.ts';
import { servesDataFolder, signal } from './processes.ts';

const POLL_MS = 20;

/** How long each way of stopping may take, the gentle one first. A fast shutdown writes a checkpoint. */
const STOP_SIGNALS: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGINT', 30 * SECOND_MS],
  ['SIGQUIT', 15 * SECOND_MS],
];

interface PostmasterFile {
  readonly pid: number;
  readonly socketFolder: string;
}

/** What a running (or killed) server wrote about itself into its data folder. */
async function readPostmasterFile(dataFolder: string): Promise<PostmasterFile | undefined> {
  try {
    const lines = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n');
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 1 ? { pid, socketFolder: lines[4] ?? '' } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Stops the server that a killed control plane left behind, if there is one. Only for the folder's holder: nobody
 * else's server can then be meant. Clears the server's file where its pid has since gone to another process, for
 * PostgreSQL would take that one for itself and refuse to start.
 *
 * @returns the socket folder of the server that was there, running or not.
 * @throws {OamError} `postgres_will_not_stop`.
 */
export async function stopOrphan(dataFolder: string, logger: Logger): Promise<string | undefined> {
  const file = await readPostmasterFile(dataFolder);
  if (file === undefined) return undefined;
  if (await servesDataFolder(file.pid, dataFolder)) {
    logger.info('Stopping the database server that a killed control plane left behind.', { pid: file.pid });
    await stopPostmaster(file.pid, dataFolder);
  } else {
    await rm(join(dataFolder, 'postmaster.pid'), { force: true });
  }
  return file.socketFolder;
}

/**
 * Stops a server and waits until it is gone.
 *
 * @throws {OamError} `postgres_will_not_stop`.
 */
export async function stopPostmaster(pid: number, dataFolder: string): Promise<void> {
  for (const [name, patienceMs] of STOP_SIGNALS) {
    if (!signal(pid, name)) return;
    const deadline = performance.now() + patienceMs;
    while (performance.now() < deadline) {
      if (!(await servesDataFolder(pid, dataFolder))) return;
      await pause(POLL_MS);
    }
  }
  throw new OamError(
    'postgres_will_not_stop',
    'The embedded database does not stop. End its process by hand, then start again.',
    { detail: `process ${pid}` },
  );
}
