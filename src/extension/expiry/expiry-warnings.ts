import { type EpochMs, MINUTE_MS } from '../../domain/time.ts';
import type { GrantView, RequestView } from '../../protocol/schemas.ts';
import { isOpenRequest } from '../access-view/access-data.ts';

/** A person is warned this long before the end of a window, in minutes. */
const WARN_AT_MINUTES = [5, 15];

/** A warning that is due. */
export interface ExpiryWarning {
  readonly grant: GrantView;
  readonly endsAtMs: EpochMs;
  /** True where an extension was asked for and nobody has answered yet. */
  readonly isAsked: boolean;
  /** Names the warning, so that it is given once. */
  readonly key: string;
}

/**
 * The warnings that are due and were not given: at most one for a grant, the nearest to its end. A window that is
 * hardly longer than the warning itself needs none, nor one that is extended; of one whose extension waits for an
 * approver the person hears at the last warning only.
 */
export function dueWarnings(
  { grants, requests }: { readonly grants: readonly GrantView[]; readonly requests: readonly RequestView[] },
  nowMs: EpochMs,
  isGiven: (key: string) => boolean,
): ExpiryWarning[] {
  const extended = new Set(grants.flatMap((grant) => (grant.state === 'failed' ? [] : [grant.extends])));
  const asked = new Set(requests.filter(isOpenRequest).map((request) => request.extends));
  return grants.flatMap((grant) => {
    if (grant.state !== 'active' || grant.endsAt === null) return [];
    if (grant.successor !== null || extended.has(grant.id)) return [];
    const endsAtMs = Date.parse(grant.endsAt);
    const leftMs = endsAtMs - nowMs;
    const at = WARN_AT_MINUTES.find((minutes) => leftMs <= minutes * MINUTE_MS);
    if (leftMs <= 0 || at === undefined || grant.minutes < 2 * at) return [];
    const isAsked = asked.has(grant.id);
    if (isAsked && at !== WARN_AT_MINUTES[0]) return [];
    const key = `${grant.id}/${endsAtMs}/${at}`;
    return isGiven(key) ? [] : [{ grant, endsAtMs, isAsked, key }];
  });
}
