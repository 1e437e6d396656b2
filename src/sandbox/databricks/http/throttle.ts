import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS } from '../../../domain/time.ts';
import type { RateClass, RateLimit } from '../options.ts';

/** Source: databricks-apis.md §0 (secondary: UCX and a copy of Databricks' limits page). */
const LIMITS: Readonly<Record<RateClass, RateLimit>> = {
  'account-scim-write': { calls: 2, perMs: SECOND_MS },
  'account-scim-read': { calls: 20, perMs: SECOND_MS },
  'workspace-scim-write': { calls: 10, perMs: MINUTE_MS },
  'permissions-read': { calls: 100, perMs: SECOND_MS },
  'permissions-write': { calls: 30, perMs: SECOND_MS },
  'mlflow-search': { calls: 7, perMs: SECOND_MS },
};

/** Counts calls in sliding windows. A call over the limit does not count itself. */
export class Throttle {
  readonly #clock: Clock;
  readonly #calls = new Map<string, EpochMs[]>();
  /** The most calls a minute of one principal over all areas; null for no limit. */
  perPrincipalAMinute: number | null = null;
  #limits: Readonly<Record<RateClass, RateLimit | null>> = LIMITS;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Puts other limits in the place of Databricks' own. */
  limit(limits: Readonly<Partial<Record<RateClass, RateLimit | null>>>): void {
    this.#limits = { ...this.#limits, ...limits };
  }

  /** Seconds to wait, whole, at least one; undefined if the call may go on. */
  retryAfterSeconds(
    place: string,
    rate: RateClass | undefined,
    principal: string | undefined,
  ): number | undefined {
    const checks: [string, RateLimit][] = [];
    const limit = rate === undefined ? null : this.#limits[rate];
    if (limit !== null) checks.push([`${place}:${rate}`, limit]);
    if (this.perPrincipalAMinute !== null && principal !== undefined) {
      checks.push([`principal:${principal}`, { calls: this.perPrincipalAMinute, perMs: MINUTE_MS }]);
    }
    const nowMs = this.#clock.nowMs();
    const recent = checks.map(([key, limit]) => {
      const calls = (this.#calls.get(key) ?? []).filter((atMs) => atMs > nowMs - limit.perMs);
      return { key, limit, calls };
    });
    for (const { limit, calls } of recent) {
      if (calls.length < limit.calls) continue;
      const freeAtMs = (calls[calls.length - limit.calls] ?? nowMs) + limit.perMs;
      return Math.max(1, Math.ceil((freeAtMs - nowMs) / SECOND_MS));
    }
    for (const { key, calls } of recent) this.#calls.set(key, [...calls, nowMs]);
    return undefined;
  }
}
