import { type EpochMs, MINUTE_MS } from '../../domain/time.ts';
import type { GrantView } from '../../protocol/schemas.ts';

/** A person is warned this long before the end of a window, in minutes. */
const WARN_AT_MINUTES = [5, 15];

/** A warning that is due. */
export interface ExpiryWarning {
  readonly grant: GrantView;
  readonly endsAtMs: EpochMs;
  /** Names the warning, so that it is given once. */
  readonly key: string;
}

/**
 * The warnings that are due and were not given: at most one for a grant, the nearest to its end. A window that is
 * hardly longer than the warning itself needs none.
 */
export function dueWarnings(
  grants: readonly GrantView[],
  nowMs: EpochMs,
  isGiven: (key: string) => boolean,
): ExpiryWarning[] {
  return grants.flatMap((grant) => {
    if (grant.state !== 'active' || grant.endsAt === null) return [];
    const endsAtMs = Date.parse(grant.endsAt);
    const leftMs = endsAtMs - nowMs;
    const at = WARN_AT_MINUTES.find((minutes) => leftMs <= minutes * MINUTE_MS);
    if (leftMs <= 0 || at === undefined || grant.minutes < 2 * at) return [];
    const key = `${grant.id}/${endsAtMs}/${at}`;
    return isGiven(key) ? [] : [{ grant, endsAtMs, key }];
  });
}
