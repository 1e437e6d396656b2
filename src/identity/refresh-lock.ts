import { access, constants, mkdir } from 'node:fs/promises';
import path from 'node:path';

import { OamError } from '../domain/errors.ts';
import { SECOND_MS } from '../domain/time.ts';

/** Lets one window, or one process, refresh at a time: refresh tokens that rotate are good for one use. */
export interface RefreshLock {
  withLock<T>(work: () => Promise<T>): Promise<T>;
}

/** A holder that has not been heard of for this long is gone. */
const STALE_MS = 10 * SECOND_MS;
/** Longer than the longest refresh. */
const DEFAULT_PATIENCE_MS = 30 * SECOND_MS;
const RETRY_MS = 250;

/**
 * A lock that all processes of this machine share, as a folder inside `folder` (which is made where it is missing).
 *
 * @throws {OamError} `session_locked` from `withLock`, where another process holds it for too long.
 */
export function fileRefreshLock(
  folder: string,
  /** How long to wait for another process, in milliseconds. */
  options: { readonly patienceMs?: number } = {},
): RefreshLock {
  const patienceMs = options.patienceMs ?? DEFAULT_PATIENCE_MS;
  const inProcess = processRefreshLock();
  return {
    withLock: (work) =>
      inProcess.withLock(async () => {
        const release = await acquire(folder, patienceMs);
        try {
          return await work();
        } finally {
          await release();
        }
      }),
  };
}

/** A lock within this process, for sessions that nobody shares. */
export function processRefreshLock(): RefreshLock {
  let last: Promise<unknown> = Promise.resolve();
  return {
    withLock(work) {
      const result = last.then(work);
      last = result.catch(() => undefined);
      return result;
    },
  };
}

async function acquire(folder: string, patienceMs: number): Promise<() => Promise<void>> {
  const { lock } = await import('proper-lockfile');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK);
    const release = await lock(folder, {
      lockfilePath: path.join(folder, 'refresh.lock'),
      realpath: false,
      stale: STALE_MS,
      retries: {
        retries: Math.ceil(patienceMs / RETRY_MS),
        factor: 1.5,
        minTimeout: RETRY_MS / 5,
        maxTimeout: RETRY_MS,
        randomize: true,
      },
      // Losing the lock half-way (a machine that slept) means at worst that two refresh at once: the loser re-reads.
      onCompromised: () => undefined,
    });
    return () => release().catch(() => undefined);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ELOCKED') {
      throw new OamError(
        'session_locked',
        'Another window is refreshing the session and does not finish. Try again in a moment.',
        { detail: folder },
      );
    }
    // A folder in which nothing can be locked must not keep anybody from working.
    return () => Promise.resolve();
  }
}
