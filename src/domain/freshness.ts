import { TOKEN_FACTS_FRESH_MINUTES, type Principal } from './principal.ts';
import { type EpochMs, minutesToMs } from './time.ts';

/**
 * True if what is known about a principal is recent enough to grant on. Stale facts are neither a yes nor a no:
 * they wait for the principal to sign in again. Rules go by duty and attributes, which only tokens tell: groups that
 * followed the directory since make the rest no younger.
 */
export function areFactsFresh(
  { seenAtMs, tokenSeenAtMs = seenAtMs }: Pick<Principal, 'seenAtMs' | 'tokenSeenAtMs'>,
  nowMs: EpochMs,
): boolean {
  return nowMs - Math.min(seenAtMs, tokenSeenAtMs) <= minutesToMs(TOKEN_FACTS_FRESH_MINUTES);
}
