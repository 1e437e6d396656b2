import { setTimeout as delay } from 'node:timers/promises';

import type { RunningSandboxDatabricks } from '../../src/sandbox/databricks/index.ts';
import type { CrowdedGroup } from './stage.ts';

/** How late each membership went, in milliseconds, by the group's sensitivity. */
export type Lateness = ReadonlyMap<CrowdedGroup['sensitivity'], readonly number[]>;

const LOOK_EVERY_MS = 10;

/**
 * Watches at Databricks, not in the store, when the members of the groups go.
 *
 * @throws where one goes too early, or where some are left when the patience is over.
 */
export async function watchRemovals(
  databricks: RunningSandboxDatabricks,
  groups: readonly CrowdedGroup[],
  endsAtMs: number,
  patienceMs: number,
): Promise<Lateness> {
  const left = new Map(groups.map((group) => [group, group.memberIds.length]));
  const lateness = new Map<CrowdedGroup['sensitivity'], number[]>();
  while (left.size > 0) {
    const nowMs = Date.now();
    for (const [group, before] of left) {
      const now = databricks.members(group.id).length;
      if (now < before && nowMs < endsAtMs)
        throw new Error(`Somebody was removed from ${group.id} too early.`);
      const gone = lateness.get(group.sensitivity) ?? [];
      for (let count = now; count < before; count += 1) gone.push(nowMs - endsAtMs);
      lateness.set(group.sensitivity, gone);
      if (now === 0) left.delete(group);
      else left.set(group, now);
    }
    if (nowMs > endsAtMs + patienceMs) throw new Error(`${String(left.size)} groups have members still.`);
    await delay(LOOK_EVERY_MS);
  }
  return lateness;
}
