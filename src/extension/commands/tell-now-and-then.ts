import type { OamError } from '../../domain/errors.ts';
import { type Clock, HOUR_MS, MINUTE_MS } from '../../domain/time.ts';

/** An error that has not come up for so long is news again. */
const QUIET_MS = 5 * MINUTE_MS;

/** One that goes on and on is told again after so long. */
const REMIND_MS = HOUR_MS;

/**
 * Lets an error through now and then. Databricks' SDKs show their users next to nothing of why they got no token, and
 * they ask again at every call: the person is told here, but not each time; nor twice of a session that has ended, by
 * whoever noticed it and by the programs that then get no token.
 */
export function tellNowAndThen(clock: Clock, tell: (error: OamError) => void): (error: OamError) => void {
  const known = new Map<string, { toldAtMs: number; seenAtMs: number }>();
  return (error) => {
    const nowMs = clock.nowMs();
    const before = known.get(error.code);
    if (before !== undefined) {
      const isQuiet = nowMs - before.seenAtMs < QUIET_MS && nowMs - before.toldAtMs < REMIND_MS;
      before.seenAtMs = nowMs;
      if (isQuiet) return;
    }
    known.set(error.code, { toldAtMs: nowMs, seenAtMs: nowMs });
    tell(error);
  };
}
