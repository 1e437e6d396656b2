import { type EpochMs, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import { storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type BlindParts, type BlindRemoval, removeBlindly } from './blind-removals.ts';
import { handOver } from './hand-over.ts';
import { startLoop } from './loop.ts';
import { createPace } from './pace.ts';
import { loadUpcomingRemovals, type UpcomingRemovals } from './upcoming.ts';

/** Ends what is due while the store is away. */
export interface OutageGuard {
  /** Tells the store what was done without it, where something was. For whoever works with the store, before they do. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

/** What the guard needs. */
export interface OutageParts extends Pick<Core, 'db' | 'debt' | 'logger'>, Omit<BlindParts, 'pace'> {
  /** The wait before a second look counts, in milliseconds. */
  readonly absenceConfirmMs: number;
}

/** How far ahead deadlines are known when the store goes away, in milliseconds. */
const HORIZON_MS = 15 * MINUTE_MS;

/** How often they are loaded: what was given or extended since is not known. */
const LOAD_EVERY_MS = 5 * SECOND_MS;

/** A store that does not answer for so long is away. */
const PATIENCE_MS = 2 * SECOND_MS;

interface Known extends UpcomingRemovals {
  /** When it was loaded, by a watch that runs evenly whatever happens to the machine's clock. */
  readonly loadedAtMs: number;
}

/**
 * Starts the guard. It keeps the deadlines of the next quarter of an hour in memory. When one of them comes and the store
 * does not answer, it takes the memberships away by itself; when the store is back, it tells it what it saw.
 */
export function guardAgainstOutage(parts: OutageParts, pollMs: number): OutageGuard {
  let known: Known | undefined;
  let isAway = false;
  const blind = new Map<string, BlindRemoval>();
  const pace = createPace(() => {
    loop.wake();
  });

  /** The store's time, from when it last told it. */
  const nowMs = (since: Known): EpochMs =>
    Math.floor(since.storeNowMs + performance.now() - since.loadedAtMs);

  /** One question at a time: a store that hangs is not asked again before it has answered. */
  let asking: Promise<void> | undefined;
  const ask = (isStale: boolean): Promise<void> => {
    asking ??= (isStale ? load() : storeNowMs(parts.db).then(() => undefined)).finally(() => {
      asking = undefined;
    });
    return inTime(asking);
  };
  const load = async (): Promise<void> => {
    const askedAtMs = performance.now();
    const loaded = await loadUpcomingRemovals(parts.db, HORIZON_MS);
    const loadedAtMs = performance.now();
    // What time it is cannot be told from an answer that was long on its way.
    if (loadedAtMs - askedAtMs <= PATIENCE_MS) known = { ...loaded, loadedAtMs };
  };

  const removeDue = async (since: Known, reason: string): Promise<void> => {
    for (const removal of since.removals) {
      const key = `${removal.groupId} ${removal.memberId}`;
      if (removal.dueAtMs > nowMs(since) || blind.has(key)) continue;
      blind.set(key, { removal, writtenAtMs: undefined, absentAtMs: undefined, isAlone: false });
    }
    if (blind.size === 0) return;
    if (!isAway) {
      parts.logger.error(
        'The database does not answer. Memberships whose time has come are removed without it.',
        {
          reason,
        },
      );
    }
    isAway = true;
    await removeBlindly(
      { ...parts, pace },
      [...blind.values()],
      () => nowMs(since),
      (seen) => parts.debt.owe(seen.flatMap((each) => entriesOf(each))),
    );
  };

  let settling: Promise<void> | undefined;
  const settleNow = async (): Promise<void> => {
    const done = [...blind];
    await handOver(
      parts,
      done.map(([, { removal, writtenAtMs, absentAtMs }]) => ({ ...removal, writtenAtMs, absentAtMs })),
      parts.absenceConfirmMs,
    );
    // What did not come about without the store comes about with it.
    for (const [key] of done) blind.delete(key);
    isAway = false;
    parts.logger.info('The database was told what was removed without it.', { memberships: done.length });
  };
  const settle = async (): Promise<void> => {
    if (blind.size === 0) return;
    settling ??= settleNow().finally(() => {
      settling = undefined;
    });
    await settling;
  };

  const isDue = (since: Known): boolean => {
    const now = nowMs(since);
    return since.removals.some(({ dueAtMs }) => dueAtMs <= now);
  };

  const loop = startLoop({
    name: 'outage',
    pollMs,
    logger: parts.logger,
    work: async () => {
      const isStale = known === undefined || performance.now() - known.loadedAtMs >= LOAD_EVERY_MS;
      if (!isStale && known !== undefined && !isDue(known)) return false;
      try {
        await ask(isStale);
      } catch (error) {
        if (known === undefined) throw error;
        await removeDue(known, error instanceof Error ? error.message : 'unknown');
        return false;
      }
      await settle();
      return false;
    },
  });

  return {
    settle,
    async stop() {
      pace.stop();
      await loop.stop();
    },
  };
}

function entriesOf({ removal, absentAtMs }: BlindRemoval) {
  return removal.grantIds.map((grantId) => ({
    event: 'membership.removed_without_store',
    grantId,
    atMs: absentAtMs ?? removal.dueAtMs,
    detail: { group: removal.groupId, member: removal.memberId, dueAtMs: removal.dueAtMs, absentAtMs },
  }));
}

/** An answer that does not come is none. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('The database does not answer.'));
    }, PATIENCE_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    answer.catch(() => undefined);
  }
}
