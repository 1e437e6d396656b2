import type { RateLimit } from '../../../src/sandbox/databricks/index.ts';
import { watchRemovals } from '../expiry.ts';
import { type Figure, quantile, type Reading } from '../figure.ts';
import { crowdedGroups, giveAll, setStage } from '../stage.ts';

const GROUPS = 100;
const MEMBERS_EACH = 100;
const LEAD_MS = 20_000;

/** One write takes a group of a hundred. More than that is the price of a write that is refused, and of turns. */
const AT_MOST_OF_THE_LEAST = 1.3;

/** Databricks' limit of the account: 2 writes a second. */
export const throttledAccount = underLimit('throttled-account', { calls: 2, perMs: 1_000 }, 1);

/** Databricks' limit of workspaces: 10 writes a minute; time runs ten times as fast here. */
export const throttledWorkspace = underLimit('throttled-workspace', { calls: 10, perMs: 6_000 }, 10);

/** What becomes of 10 000 grants that end at once where Databricks lets only so many writes through. */
function underLimit(name: string, limit: RateLimit, faster: number): Figure {
  const writesASecond = limit.calls / (limit.perMs / 1_000) / faster;
  const leastSeconds = GROUPS / writesASecond;
  return {
    name,
    what: `${String(GROUPS * MEMBERS_EACH)} grants end at once where Databricks takes ${writesASecond.toFixed(2)} writes a second`,
    async measure(cleanup) {
      const groups = crowdedGroups(GROUPS, MEMBERS_EACH);
      const stage = await setStage(cleanup, groups);
      stage.databricks.tune({ limits: { 'account-scim-write': limit } });
      const endsAtMs = Date.now() + LEAD_MS;
      await giveAll(stage, groups, () => endsAtMs);
      await stage.serve();
      const patienceMs = (leastSeconds / faster) * 5_000;
      const lateness = await watchRemovals(stage.databricks, groups, endsAtMs, patienceMs);
      const secondsOf = (values: readonly number[], share: number): number =>
        (quantile(values, share) / 1_000) * faster;
      const all = [...lateness.values()].flat();
      const byRisk = (['high', 'medium', 'low'] as const).map((sensitivity): Reading => ({
        name: `${name}_last_${sensitivity}`,
        value: secondsOf(lateness.get(sensitivity) ?? [], 1),
        unit: 's',
        peer: null,
        bar: null,
      }));
      return [
        {
          name: `${name}_last`,
          value: secondsOf(all, 1),
          unit: 's',
          peer: { what: 'the least that the limit allows', value: leastSeconds },
          bar: { of: 'ratio', is: 'at most', limit: AT_MOST_OF_THE_LEAST },
          note: `one by one it would take ${((GROUPS * MEMBERS_EACH) / writesASecond).toFixed(0)} s; half are gone after ${secondsOf(all, 0.5).toFixed(0)} s`,
        },
        ...byRisk,
      ];
    },
  };
}
