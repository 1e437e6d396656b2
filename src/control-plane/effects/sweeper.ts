import { closeOverdue, nextDeadlineInMs } from '../grants/overdue.ts';
import { type GroupLease, leaseGroups } from './group-lease.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import { guardAgainstOutage } from './outage.ts';
import { createPace, type Pace } from './pace.ts';
import { serveGroup, type ServingParts } from './serve-group.ts';

/** Ends what is due and writes what the state demands, until it is stopped. */
export interface Sweeper {
  /** Looks for due work now. */
  wake(): void;
  /** Ends after the calls that are under way. */
  stop(): Promise<void>;
}

/** What the sweeper needs. */
export type SweeperParts = Omit<ServingParts, 'pace' | 'giving'>;

/** Groups that one replica writes to at the same time. */
const GROUPS_AT_ONCE = 16;

/**
 * Starts the sweeper. Deadlines have a loop of their own: however slow Databricks is, a grant begins to end when its
 * time has come.
 */
export function startSweeper(parts: SweeperParts, pollMs: number): Sweeper {
  const serving = new Map<string, Promise<void>>();
  const pace = createPace(() => {
    effects.wake();
  });

  const guard = guardAgainstOutage(parts, pollMs);
  /** What cannot be told now is told later: it must not keep anything from ending. */
  const settle = (): Promise<void> =>
    guard.settle().catch((error: unknown) => {
      parts.logger.warn('The database could not be told yet what was removed without it.', {
        reason: error instanceof Error ? error.message : 'unknown',
      });
    });

  const serve = (lease: GroupLease, groupPace: Pace): void => {
    const served = serveGroup({ ...parts, pace: groupPace, giving: (writes) => guard.giving(writes) }, lease)
      .then(() => true)
      .catch((error: unknown) => {
        parts.logger.warn('Serving a group ended early; what is left stays due.', {
          group: lease.group.group_id,
          reason: parts.redactor.redact(error instanceof Error ? error.message : 'unknown'),
        });
        return false;
      })
      .then(async (isDone) => {
        await lease.release().catch(() => undefined);
        serving.delete(lease.group.group_id);
        // What ended early waits for the next beat: whatever ended it is likely to be there still.
        if (isDone) effects.wake();
      });
    serving.set(lease.group.group_id, served);
  };

  /** Where Databricks lets only few writes through, each goes to whatever is the most urgent at that moment. */
  const writeMostUrgent = async (host: string): Promise<void> => {
    if (!pace.take(host)) return;
    const exceptGroupIds = [...serving.keys()];
    const [lease] = await leaseGroups(parts.db, { limit: 1, exceptGroupIds, work: { kind: 'write', host } });
    if (lease === undefined) pace.giveBack(host);
    else serve(lease, withOneWrite(pace, host));
  };

  const effects = startLoop({
    name: 'effects',
    pollMs,
    logger: parts.logger,
    work: async () => {
      await settle();
      const slowHosts = pace.slowHosts();
      for (const host of slowHosts) await writeMostUrgent(host);
      const limit = GROUPS_AT_ONCE - serving.size;
      if (limit <= 0) return false;
      const exceptGroupIds = [...serving.keys()];
      const leases = await leaseGroups(parts.db, { limit, exceptGroupIds, work: { kind: 'any', slowHosts } });
      for (const lease of leases) serve(lease, withoutWrites(pace, slowHosts));
      return false;
    },
  });

  let nextDeadline: NodeJS.Timeout | undefined;
  const deadlines: Loop = startLoop({
    name: 'deadlines',
    pollMs,
    logger: parts.logger,
    work: async () => {
      clearTimeout(nextDeadline);
      await settle();
      const closed = await closeOverdue(parts, () => effects.wake());
      if (closed > 0) return true;
      const soonMs = await nextDeadlineInMs(parts.db, pollMs);
      // The beat would find it up to a beat late.
      if (soonMs !== undefined) nextDeadline = setTimeout(() => deadlines.wake(), soonMs);
      return false;
    },
  });

  return {
    wake: () => effects.wake(),
    async stop() {
      pace.stop();
      await Promise.all([guard.stop(), deadlines.stop(), effects.stop()]);
      clearTimeout(nextDeadline);
      await Promise.all(serving.values());
    },
  };
}

/** The right to one write was taken already. */
function withOneWrite(pace: Pace, host: string): Pace {
  let isLeft = true;
  return {
    ...pace,
    take(wanted) {
      if (wanted !== host) return pace.take(wanted);
      const taken = isLeft;
      isLeft = false;
      return taken;
    },
  };
}

/** Writes to slow hosts have a turn of their own. */
function withoutWrites(pace: Pace, slowHosts: readonly string[]): Pace {
  return { ...pace, take: (host) => !slowHosts.includes(host) && pace.take(host) };
}
