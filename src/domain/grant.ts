import { OamError } from './errors.ts';
import type { Outliving } from './lease.ts';
import type { EndReason, GrantState } from './lifecycle.ts';
import type { PrincipalKey } from './principal.ts';
import type { Review } from './review.ts';
import { type EpochMs, minutesToMs } from './time.ts';

const NOT_SHOWN = 'Databricks did not show the membership in time. Ask again, or ask your administrator.';

const NOT_BEGUN = 'Its time passed before it could be begun. Ask again, or ask your administrator.';

/** How long Databricks may take to show a new membership before the grant is given up, in minutes. */
export const PROVISIONING_MAX_MINUTES = 30;

/** The window in which a role is active for a principal. */
export interface Grant {
  readonly id: string;
  /**
   * Goes up by one with every change of `state`, and with nothing else; a store writes only where the version is still
   * the one that was read.
   */
  readonly version: number;
  readonly requestId: string;
  readonly principal: PrincipalKey;
  readonly roleId: string;
  /** Nothing is done before this moment; undefined where access was asked for at once. */
  readonly startsAtMs: EpochMs | undefined;
  /** How long the window lasts once it has begun; for a run, at most. */
  readonly minutes: number;
  /**
   * Where the holder is a run: the window ends this many minutes after the run last proved that it lives. Undefined
   * where the window is bound to the clock alone.
   */
  readonly runGraceMinutes: number | undefined;
  readonly state: GrantState;
  readonly endReason: EndReason | undefined;
  /** True once provisioning was given up: when the membership is seen to be absent the grant is `failed`. */
  readonly givenUp: boolean;
  readonly createdAtMs: EpochMs;
  /** When something must happen by itself: before activation giving up, afterwards the end of the window. */
  readonly deadlineAtMs: EpochMs;
  readonly activatedAtMs: EpochMs | undefined;
  readonly endsAtMs: EpochMs | undefined;
  /** When a read first showed the membership. */
  readonly membershipPresentAtMs: EpochMs | undefined;
  /** When a read first showed its absence, a second read having confirmed it. */
  readonly membershipAbsentAtMs: EpochMs | undefined;
  /** What is left after the grant's end of the tokens that were issued under it. */
  readonly outlives: Outliving | undefined;
  /** What stands in the way, in words. */
  readonly trouble: string | undefined;
  /** The id of the first grant of a chain of extensions; a grant's own where it extends none. */
  readonly chainId: string;
  /** The grant that this one extends. */
  readonly extendsId: string | undefined;
  /** The grant that extends this one. Present exactly when the end reason is `extended`. */
  readonly successorId: string | undefined;
  /** Since when the role has been held without a gap; known from activation on. */
  readonly heldSinceMs: EpochMs | undefined;
  /** Present where the access was taken by breaking the glass. */
  readonly review: Review | undefined;
}

/** What a new grant is made of. */
export type GrantSeed = Pick<
  Grant,
  'id' | 'requestId' | 'principal' | 'roleId' | 'minutes' | 'runGraceMinutes' | 'startsAtMs' | 'review'
>;

/** Why a person or a deadline ends a grant. */
export type Ending = Exclude<EndReason, 'extended'>;

/**
 * A grant as it is committed before Databricks is called for the first time. One that starts later waits for its holder,
 * whose facts must be fresh then, for as long as its window would have lasted.
 */
export function scheduleGrant(seed: GrantSeed, nowMs: EpochMs): Grant {
  return {
    ...seed,
    version: 1,
    state: 'scheduled',
    endReason: undefined,
    givenUp: false,
    createdAtMs: nowMs,
    deadlineAtMs:
      seed.startsAtMs === undefined
        ? nowMs + minutesToMs(PROVISIONING_MAX_MINUTES)
        : Math.max(seed.startsAtMs, nowMs) + minutesToMs(Math.max(PROVISIONING_MAX_MINUTES, seed.minutes)),
    activatedAtMs: undefined,
    endsAtMs: undefined,
    membershipPresentAtMs: undefined,
    membershipAbsentAtMs: undefined,
    outlives: undefined,
    trouble: undefined,
    chainId: seed.id,
    extendsId: undefined,
    successorId: undefined,
    heldSinceMs: undefined,
  };
}

/**
 * Writing to Databricks begins, eligibility having been checked once more. Unchanged where the grant is past that, and
 * before its start.
 */
export function startProvisioning<G extends Grant>(grant: G, nowMs: EpochMs): G {
  if (grant.state !== 'scheduled' || isAhead(grant, nowMs)) return grant;
  return {
    ...grant,
    version: grant.version + 1,
    state: 'provisioning',
    deadlineAtMs:
      grant.startsAtMs === undefined ? grant.deadlineAtMs : nowMs + minutesToMs(PROVISIONING_MAX_MINUTES),
  };
}

/** True before the start of a grant that starts later. */
export function isAhead(grant: Pick<Grant, 'startsAtMs'>, nowMs: EpochMs): boolean {
  return grant.startsAtMs !== undefined && nowMs < grant.startsAtMs;
}

/** True before the grant's end has begun. */
export function isLive(grant: Pick<Grant, 'state'>): boolean {
  return grant.state === 'scheduled' || grant.state === 'provisioning' || grant.state === 'active';
}

/** True once nothing more happens to the grant. */
export function isFinal(grant: Pick<Grant, 'state'>): boolean {
  return grant.state === 'ended' || grant.state === 'failed';
}

/**
 * The membership was read: the window begins now. Unchanged where the grant no longer waits for it.
 *
 * @param presentAtMs when the read was made.
 */
export function activate<G extends Grant>(grant: G, presentAtMs: EpochMs, nowMs: EpochMs): G {
  if (grant.state !== 'provisioning') return grant;
  const endsAtMs = endOfWindow(grant, nowMs, nowMs);
  return {
    ...grant,
    version: grant.version + 1,
    state: 'active',
    activatedAtMs: nowMs,
    endsAtMs,
    deadlineAtMs: endsAtMs,
    membershipPresentAtMs: presentAtMs,
    trouble: undefined,
    heldSinceMs: nowMs,
  };
}

/**
 * The run that holds the grant proved that it lives: the window goes on, never past what was approved. Unchanged where
 * there is no run, no window yet, or nothing to add, and where the window is over, whether or not that was noticed. No
 * transition: the version stays.
 */
export function proveAlive<G extends Grant>(grant: G, nowMs: EpochMs): G {
  const { state, activatedAtMs, endsAtMs } = grant;
  if (state !== 'active' || activatedAtMs === undefined || endsAtMs === undefined) return grant;
  const goesOnUntilMs = endOfWindow(grant, activatedAtMs, nowMs);
  if (nowMs >= endsAtMs || goesOnUntilMs <= endsAtMs) return grant;
  return { ...grant, endsAtMs: goesOnUntilMs, deadlineAtMs: goesOnUntilMs };
}

function endOfWindow(
  grant: Pick<Grant, 'minutes' | 'runGraceMinutes'>,
  beganAtMs: EpochMs,
  aliveAtMs: EpochMs,
): EpochMs {
  const latestMs = beganAtMs + minutesToMs(grant.minutes);
  return grant.runGraceMinutes === undefined
    ? latestMs
    : Math.min(latestMs, aliveAtMs + minutesToMs(grant.runGraceMinutes));
}

/**
 * Begins the end of a grant. It is over only when {@link confirmAbsent} was reached, and until then a token that was
 * issued under it carries the right.
 *
 * @param lastTokenEndsAtMs when the last token under the grant expires, where that is later than now.
 * @throws {OamError} `grant_not_active` where the end has begun already.
 */
export function beginRevoking<G extends Grant>(
  grant: G,
  reason: Ending,
  lastTokenEndsAtMs: EpochMs | undefined,
): G {
  if (!isLive(grant)) {
    throw new OamError('grant_not_active', 'This access has ended or is ending. Refresh to see its state.', {
      detail: grant.state,
    });
  }
  return {
    ...grant,
    version: grant.version + 1,
    state: 'revoking',
    endReason: reason,
    outlives: lastTokenEndsAtMs === undefined ? undefined : { untilMs: lastTokenEndsAtMs, what: 'right' },
    trouble: undefined,
  };
}

/** Gives up a grant that never became active; what may have been written is taken back first. */
export function giveUp<G extends Grant>(grant: G, trouble: string): G {
  if (grant.state !== 'provisioning' && grant.state !== 'scheduled') return grant;
  return { ...grant, version: grant.version + 1, state: 'revoking', givenUp: true, trouble };
}

/**
 * The deadline of a grant has come: an active one expires, one that never became active is given up. Unchanged
 * before the deadline, and where the end has begun already.
 */
export function atDeadline<G extends Grant>(
  grant: G,
  nowMs: EpochMs,
  lastTokenEndsAtMs: EpochMs | undefined,
): G {
  if (!isLive(grant) || nowMs < grant.deadlineAtMs) return grant;
  return grant.state === 'active'
    ? beginRevoking(grant, 'expired', lastTokenEndsAtMs)
    : giveUp(grant, grant.trouble ?? (grant.state === 'scheduled' ? NOT_BEGUN : NOT_SHOWN));
}

/**
 * Records what stands in the way of a write. That is no transition, so the version stays: whoever decided on the grant
 * as it was still means what they decided.
 */
export function withTrouble<G extends Grant>(grant: G, trouble: string | undefined): G {
  // Why a grant was given up is what its holder needs to read to the end.
  if (isFinal(grant) || grant.givenUp || grant.trouble === trouble) return grant;
  return { ...grant, trouble };
}

/** Removing has failed for long enough to alarm. It goes on being tried. */
export function markStuck<G extends Grant>(grant: G, trouble: string): G {
  if (grant.state !== 'revoking') return withTrouble(grant, trouble);
  return {
    ...grant,
    version: grant.version + 1,
    state: 'revoke_stuck',
    trouble: grant.givenUp ? grant.trouble : trouble,
  };
}

/** A write got through again. */
export function unstick<G extends Grant>(grant: G): G {
  if (grant.state !== 'revoke_stuck') return grant;
  return {
    ...grant,
    version: grant.version + 1,
    state: 'revoking',
    trouble: grant.givenUp ? grant.trouble : undefined,
  };
}

/** What is said of a grant that ended because its group was deleted behind OAM's back. */
const GROUP_GONE =
  "The role's group does not exist in Databricks any more, and the membership went with it. Tell your administrator.";

/** How a membership came to be no longer this grant's. */
export type Departure =
  | {
      /** `groupGone`: the group itself is gone from Databricks, and every membership of it. */
      readonly kind: 'absent' | 'groupGone';
      readonly absentAtMs: EpochMs;
      /** See `tokensKeepRight` in `role.ts`. */
      readonly tokensKeepRight: boolean;
    }
  /** Another live grant of the same member demands the membership: it stays, and this grant has let go of it. */
  | { readonly kind: 'kept'; readonly absentAtMs: undefined };

/**
 * Reads have shown that the grant has no effect any more: it is `ended`, or `failed` where it was given up. The right
 * went with the membership, and what tokens are left are tokens only; where another grant keeps the membership, or the
 * tokens name the group themselves, they keep the right. Unchanged where the grant is not on its way out.
 */
export function confirmAbsent<G extends Grant>(grant: G, departure: Departure): G {
  if (grant.state !== 'revoking' && grant.state !== 'revoke_stuck') return grant;
  return {
    ...grant,
    version: grant.version + 1,
    state: grant.givenUp ? 'failed' : 'ended',
    membershipAbsentAtMs: departure.absentAtMs,
    outlives: leftAfter(grant.outlives, departure),
    trouble: grant.givenUp ? grant.trouble : departure.kind === 'groupGone' ? GROUP_GONE : undefined,
  };
}

/** Every token that was issued under a grant that ends, or has ended, was seen to be gone: nothing is left of it. */
export function nothingOutlives<G extends Grant>(grant: G): G {
  return grant.outlives === undefined ? grant : { ...grant, outlives: undefined };
}

function leftAfter(outlives: Outliving | undefined, departure: Departure): Outliving | undefined {
  const keepsRight = departure.kind === 'kept' || departure.tokensKeepRight;
  return outlives && { ...outlives, what: keepsRight ? 'right' : 'tokenOnly' };
}
