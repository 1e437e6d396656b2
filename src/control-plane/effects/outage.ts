import { type EpochMs, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import { storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type BlindParts, type BlindRemoval, removeBlindly } from './blind-removals.ts';
import { handOver } from './hand-over.ts';
import { startLoop } from '../loops/loop.ts';
import { createPace } from './pace.ts';
import type { MemberWrite } from './marks.ts';
import {
  loadUpcomingRemovals,
  membershipKey,
  type UpcomingRemoval,
  type UpcomingRemovals,
  withGiven,
} from './upcoming.ts';

/** Ends what is due while the store is away. */
export interface OutageGuard {
  /** Tells the store what was done without it, where something was. For whoever works with the store, before they do. */
  settle(): Promise<void>;
  /** Tells it of memberships that are about to be given: the deadlines that it loaded last do not know of them. */
  giving(writes: readonly MemberWrite[]): void;
  stop(): Promise<void>;
}

/** What the guard needs. */
export interface OutageParts extends Pick<Core, 'db' | 'debt' | 'logger'>, Omit<BlindParts, 'pace'> {
  /** The wait before a second look counts, in milliseconds. */
  readonly absenceConfirmMs: number;
}

/** How far ahead deadlines are known when the store goes away, in milliseconds. */
const HORIZON_MS = 15 * MINUTE_MS;

/**
 * How often they are loaded. What was given since by this control plane is known besides; what another gave, or anybody
 * extended, is not: where that was taken away, it is put back when the store is told.
 */
const LOAD_EVERY_MS = 5 * SECOND_MS;

/** How many are told in one go. */
const HANDED_OVER_AT_ONCE = 100;

/** A store that does not answer for so long is away. */
const PATIENCE_MS = 2 * SECOND_MS;

interface Known extends UpcomingRemovals {
  /** When it was loaded, by a watch that runs evenly whatever happens to the machine's clock. */
  readonly loadedAtMs: number;
}

/** A membership that was given, and when by the same watch. */
interface Given {
  readonly removal: UpcomingRemoval;
  readonly atMs: number;
}

/**
 * Starts the guard. It keeps the deadlines of the next quarter of an hour in memory. When one of them comes and the store
 * does not answer, it takes the memberships away by itself; when the store is back, it tells it what it saw.
 */
export function guardAgainstOutage(parts: OutageParts, pollMs: number): OutageGuard {
  let known: Known | undefined;
  let isAway = false;
  /** After an absence nothing is done by what was known before it, once the store answers. */
  let isOutdated = false;
  let given: readonly Given[] = [];
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
    if (loadedAtMs - askedAtMs > PATIENCE_MS) return;
    known = { ...loaded, loadedAtMs };
    isOutdated = false;
    // The list has them where they were on record before it was asked for.
    given = given.filter(({ atMs }) => atMs >= askedAtMs);
  };

  const upcoming = (since: Known): readonly UpcomingRemoval[] =>
    given.length === 0
      ? since.removals
      : withGiven(
          since.removals,
          given.map(({ removal }) => removal),
        );

  const removeDue = async (since: Known, reason: string): Promise<void> => {
    for (const removal of upcoming(since)) {
      const key = membershipKey(removal);
      if (removal.dueAtMs > nowMs(since) || blind.has(key)) continue;
      blind.set(key, {
        ...{ removal, writtenAtMs: undefined, absentAtMs: undefined },
        ...{ isInDoubt: false, isAlone: false, stage: 'waiting' },
      });
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
    // A write that is under way may land after the store was told: that one is told when its answer is there.
    const done = [...blind].filter(([, { stage }]) => stage === 'waiting');
    for (const [, each] of done) each.stage = 'handed_over';
    let told = 0;
    try {
      for (; told < done.length; told += HANDED_OVER_AT_ONCE) {
        const some = done.slice(told, told + HANDED_OVER_AT_ONCE);
        await handOver(
          parts,
          some.map(([, { removal, ...seen }]) => ({ ...removal, ...seen })),
          parts.absenceConfirmMs,
        );
        // What did not come about without the store comes about with it.
        for (const [key] of some) blind.delete(key);
      }
    } catch (error) {
      for (const [, each] of done.slice(told)) each.stage = 'waiting';
      throw error;
    }
    forget(done.map(([, each]) => each));
    isAway = blind.size > 0;
    parts.logger.info('The database was told what was removed without it.', { memberships: done.length });
  };
  /** What was seen to be gone, and told, is not to go once more where the store is away again before the next load. */
  const forget = (told: readonly BlindRemoval[]): void => {
    const gone = new Set(
      told.filter(({ absentAtMs }) => absentAtMs !== undefined).map(({ removal }) => membershipKey(removal)),
    );
    isOutdated = true;
    if (known === undefined || gone.size === 0) return;
    known = { ...known, removals: known.removals.filter((removal) => !gone.has(membershipKey(removal))) };
  };
  const settle = async (): Promise<void> => {
    if (![...blind.values()].some(({ stage }) => stage === 'waiting')) {
      await settling;
      return;
    }
    settling ??= settleNow().finally(() => {
      settling = undefined;
    });
    await settling;
  };

  const isDue = (since: Known): boolean => {
    const now = nowMs(since);
    return upcoming(since).some(({ dueAtMs }) => dueAtMs <= now);
  };

  const loop = startLoop({
    name: 'outage',
    pollMs,
    logger: parts.logger,
    work: async () => {
      const isStale =
        isOutdated || known === undefined || performance.now() - known.loadedAtMs >= LOAD_EVERY_MS;
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
    giving(writes) {
      const atMs = performance.now();
      given = [...given, ...writes.map((write) => ({ removal: removalOf(write), atMs }))];
    },
    async stop() {
      pace.stop();
      await loop.stop();
    },
  };
}

/** How a membership that is about to be given is to go in its turn. */
function removalOf({ memberId, effect: { grant } }: MemberWrite): UpcomingRemoval {
  return {
    ...{ memberId, groupId: grant.membership.groupId, host: grant.workspaceHost, urgency: grant.urgency },
    ...{ dueAtMs: grant.deadlineAtMs, grantIds: [grant.id] },
  };
}

function entriesOf({ removal, absentAtMs }: BlindRemoval) {
  return removal.grantIds.map((grantId) => ({
    event: 'membership.removed_without_store' as const,
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
