import { closeOverdue } from '../grants/close.ts';
import { leaseGroups } from './group-lease.ts';
import { startLoop } from './loop.ts';
import { serveGroup, type ServingParts } from './serve-group.ts';

/** Ends what is due and writes what the state demands, until it is stopped. */
export interface Sweeper {
  /** Looks for due work now. */
  wake(): void;
  /** Ends after the calls that are under way. */
  stop(): Promise<void>;
}

/** Groups that one replica writes to at the same time. */
const GROUPS_AT_ONCE = 8;

/**
 * Starts the sweeper. Deadlines have a loop of their own: however slow Databricks is, a grant begins to end when its
 * time has come.
 */
export function startSweeper(parts: ServingParts, pollMs: number): Sweeper {
  const serving = new Map<string, Promise<void>>();

  const effects = startLoop({
    name: 'effects',
    pollMs,
    logger: parts.logger,
    work: async () => {
      const free = GROUPS_AT_ONCE - serving.size;
      if (free <= 0) return false;
      const leases = await leaseGroups(parts.db, free, [...serving.keys()]);
      for (const lease of leases) {
        const served = serveGroup(parts, lease)
          .catch((error: unknown) => {
            parts.logger.warn('Serving a group ended early; what is left stays due.', {
              group: lease.group.group_id,
              reason: parts.redactor.redact(error instanceof Error ? error.message : 'unknown'),
            });
          })
          .finally(async () => {
            serving.delete(lease.group.group_id);
            await lease.release().catch(() => undefined);
            effects.wake();
          });
        serving.set(lease.group.group_id, served);
      }
      return false;
    },
  });

  const deadlines = startLoop({
    name: 'deadlines',
    pollMs,
    logger: parts.logger,
    work: async () => {
      const closed = await closeOverdue(parts);
      if (closed > 0) effects.wake();
      return closed > 0;
    },
  });

  return {
    wake: () => effects.wake(),
    async stop() {
      await Promise.all([deadlines.stop(), effects.stop()]);
      await Promise.all(serving.values());
    },
  };
}
