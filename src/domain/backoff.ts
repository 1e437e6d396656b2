import { MINUTE_MS, SECOND_MS } from './time.ts';

const FIRST_DELAY_MS = 250;

/** The longest pause between two tries of the same write. */
export const BACKOFF_MAX_MS = MINUTE_MS;

/**
 * How long to wait before the next try, in milliseconds: doubling from a quarter of a second up to a minute, with a
 * quarter of jitter either way so that many writes that failed together do not come back together.
 *
 * @param attempt how many tries have failed, from 1.
 * @param random a number in [0, 1).
 * @param retryAfterSeconds what the server asked for; it is never undercut.
 */
export function backoffMs(attempt: number, random: number, retryAfterSeconds?: number): number {
  const plain = Math.min(BACKOFF_MAX_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 30));
  const jittered = plain * (0.75 + random / 2);
  return Math.round(Math.max(jittered, (retryAfterSeconds ?? 0) * SECOND_MS));
}
