import type { OamError } from '../../domain/errors.ts';
import { type Clock, MINUTE_MS } from '../../domain/time.ts';

/** The same error is not told more often. */
const QUIET_MS = 5 * MINUTE_MS;

/**
 * Lets an error through now and then. Databricks' SDKs show their users next to nothing of why they got no token, and
 * they ask again at every call: the person is told here, but not each time; nor twice of a session that has ended, by
 * whoever noticed it and by the programs that then get no token.
 */
export function tellNowAndThen(clock: Clock, tell: (error: OamError) => void): (error: OamError) => void {
  const toldAtMs = new Map<string, number>();
  return (error) => {
    const nowMs = clock.nowMs();
    const before = toldAtMs.get(error.code);
    if (before !== undefined && nowMs - before < QUIET_MS) return;
    toldAtMs.set(error.code, nowMs);
    tell(error);
  };
}
