import { type EpochMs, HOUR_MS, minutesToMs } from './time.ts';

/** What the store says of the members of a group. */
export interface GroupExpectation {
  /** Ids of the members that active grants demand. */
  readonly demanded: ReadonlySet<string>;
  /** Ids of members that grants are just adding or removing: they may be there or not. */
  readonly moving: ReadonlySet<string>;
}

/** How a group differs from what the store says. */
export interface GroupDifference {
  /** Demanded and not there. */
  readonly lost: readonly string[];
  /** There, and nobody's whom OAM added. */
  readonly strangers: readonly string[];
}

/** Holds the members that a read of a group showed against what the store says of it. */
export function compareMembers(
  { demanded, moving }: GroupExpectation,
  present: ReadonlySet<string>,
): GroupDifference {
  return {
    lost: [...demanded].filter((id) => !present.has(id) && !moving.has(id)),
    strangers: [...present].filter((id) => !demanded.has(id) && !moving.has(id)),
  };
}

/** What removing strangers from a group depends on. */
export interface RemovalGround {
  /** For how long strangers are left alone, in minutes; undefined where they are only reported. */
  readonly graceMinutes: number | undefined;
  /** How many members the group has. */
  readonly memberCount: number;
  /** True if the group was adopted by the store as it is now, not by the backup that it was restored from. */
  readonly adoptedByThisStore: boolean;
  /** When the store was last noticed to have been restored. */
  readonly restoredAtMs: EpochMs | undefined;
}

/** A member whom OAM did not add. */
export interface Stranger {
  readonly memberId: string;
  readonly firstSeenAtMs: EpochMs;
}

/** Whether strangers are removed, which, and why not. */
export type RemovalDecision =
  | { readonly kind: 'remove'; readonly memberIds: readonly string[] }
  /** Nothing is due, or it is only reported. */
  | { readonly kind: 'wait' }
  /** Something is wrong at large: an alarm, and nobody is removed. */
  | { readonly kind: 'alarm'; readonly reason: 'too_many' | 'restored' };

/** As many may always go at once, however small the group. */
const ALWAYS_AT_ONCE = 2;

const SHARE_AT_ONCE = 0.1;

const QUIET_AFTER_RESTORE_MS = HOUR_MS;

/**
 * Decides on the strangers of a group. Nobody is removed before the grace is over, nor where much would go at once, nor
 * where the store may have forgotten whom it added.
 */
export function decideRemoval(
  strangers: readonly Stranger[],
  ground: RemovalGround,
  nowMs: EpochMs,
): RemovalDecision {
  const { graceMinutes, restoredAtMs } = ground;
  if (graceMinutes === undefined) return { kind: 'wait' };
  const due = strangers.filter(({ firstSeenAtMs }) => nowMs - firstSeenAtMs >= minutesToMs(graceMinutes));
  if (due.length === 0) return { kind: 'wait' };
  const justRestored = restoredAtMs !== undefined && nowMs - restoredAtMs < QUIET_AFTER_RESTORE_MS;
  if (!ground.adoptedByThisStore || justRestored) return { kind: 'alarm', reason: 'restored' };
  const most = Math.max(ALWAYS_AT_ONCE, Math.floor(ground.memberCount * SHARE_AT_ONCE));
  // All strangers count: they would only go in turns otherwise.
  if (strangers.length > most) return { kind: 'alarm', reason: 'too_many' };
  return { kind: 'remove', memberIds: due.map(({ memberId }) => memberId) };
}
