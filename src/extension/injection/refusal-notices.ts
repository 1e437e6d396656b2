import { type Clock, MINUTE_MS } from '../../domain/time.ts';

/** The same reason is not told more often. */
const QUIET_MS = 5 * MINUTE_MS;

/** Why a program got no token, as far as a person is told. */
export interface ToldRefusal {
  readonly code: string;
  readonly sentence: string;
}

/**
 * Lets a refusal through now and then. Databricks' SDKs show their users next to nothing of why they got no token, and
 * they ask again at every call: the person is told here, but not each time.
 */
export function refusalFilter(
  clock: Clock,
  tell: (refusal: ToldRefusal) => void,
): (refusal: ToldRefusal) => void {
  const toldAtMs = new Map<string, number>();
  return (refusal) => {
    const nowMs = clock.nowMs();
    const before = toldAtMs.get(refusal.code);
    if (before !== undefined && nowMs - before < QUIET_MS) return;
    toldAtMs.set(refusal.code, nowMs);
    tell(refusal);
  };
}
