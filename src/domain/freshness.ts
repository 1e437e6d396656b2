import { TOKEN_FACTS_FRESH_MINUTES, type Principal } from './principal.ts';
import { type EpochMs, minutesToMs } from './time.ts';

/** True if what only tokens tell, duty and attributes, is recent enough to decide on. */
export function areTokenFactsFresh(
  { seenAtMs, tokenSeenAtMs = seenAtMs }: Pick<Principal, 'seenAtMs' | 'tokenSeenAtMs'>,
  nowMs: EpochMs,
): boolean {
  return areFactsFresh({ seenAtMs: tokenSeenAtMs }, nowMs);
}

/**
 * True if what is known about a principal is recent enough to grant on. Stale facts are neither a yes nor a no:
 * they wait for the principal to sign in again.
 */
export function areFactsFresh(principal: Pick<Principal, 'seenAtMs'>, nowMs: EpochMs): boolean {
  return nowMs - principal.seenAtMs <= minutesToMs(TOKEN_FACTS_FRESH_MINUTES);
}
