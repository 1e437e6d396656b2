import { OamError } from './errors.ts';
import { type PrincipalKey, samePrincipal } from './principal.ts';
import { DAY_MS, type EpochMs } from './time.ts';

/** The longest time for which somebody can decide for somebody else, in days, and the furthest that it lies ahead. */
export const DELEGATION_MAX_DAYS = 30;

/**
 * For a time, one approver's word may be given by somebody else. It reaches no further than the two: what somebody may
 * decide as a delegate is no right of their own, so there is nothing of it to hand on.
 */
export interface Delegation {
  readonly id: string;
  /** Whose word it is. */
  readonly delegator: PrincipalKey;
  /** Who may give it. */
  readonly delegate: PrincipalKey;
  readonly reason: string;
  readonly startsAtMs: EpochMs;
  readonly endsAtMs: EpochMs;
  readonly createdAtMs: EpochMs;
  readonly revoked: { readonly by: PrincipalKey; readonly atMs: EpochMs } | undefined;
}

/** Where a delegation has got to. */
export const DELEGATION_STATES = ['scheduled', 'active', 'ended', 'revoked'] as const;

/** One of {@link DELEGATION_STATES}. */
export type DelegationState = (typeof DELEGATION_STATES)[number];

/** Where a delegation has got to at a moment. Its end is the first moment at which it holds no more. */
export function delegationState(
  { revoked, startsAtMs, endsAtMs }: Pick<Delegation, 'revoked' | 'startsAtMs' | 'endsAtMs'>,
  nowMs: EpochMs,
): DelegationState {
  if (revoked !== undefined) return 'revoked';
  if (nowMs >= endsAtMs) return 'ended';
  return nowMs >= startsAtMs ? 'active' : 'scheduled';
}

/** What somebody wants who names a delegate. */
export interface DelegationWish extends Pick<
  Delegation,
  'id' | 'delegator' | 'delegate' | 'reason' | 'endsAtMs'
> {
  /** At once, unless given. */
  readonly startsAtMs: EpochMs | undefined;
}

/**
 * Names a delegate.
 *
 * @throws {OamError} `bad_request` (oneself), `start_out_of_range`, `window_too_short`, `window_too_long`.
 */
export function nameDelegate(wish: DelegationWish, nowMs: EpochMs): Delegation {
  if (samePrincipal(wish.delegator, wish.delegate)) {
    throw new OamError('bad_request', 'You decide for yourself already. Name somebody else.');
  }
  const startsAtMs = wish.startsAtMs ?? nowMs;
  const longestMs = DELEGATION_MAX_DAYS * DAY_MS;
  if (startsAtMs < nowMs || startsAtMs - nowMs > longestMs) {
    throw new OamError(
      'start_out_of_range',
      'A delegate can begin at once or within the next 30 days. Choose another start, or leave it out to begin at once.',
    );
  }
  if (wish.endsAtMs <= startsAtMs) {
    throw new OamError('window_too_short', 'The end lies before the start. Choose a later end.');
  }
  if (wish.endsAtMs - startsAtMs > longestMs) {
    throw new OamError(
      'window_too_long',
      'A delegate decides for somebody else for 30 days at most. Choose an earlier end; you can name them again.',
    );
  }
  return { ...wish, startsAtMs, createdAtMs: nowMs, revoked: undefined };
}

/** Ends a delegation at once. One that holds no more stays as it ended. */
export function revokeDelegation(delegation: Delegation, by: PrincipalKey, nowMs: EpochMs): Delegation {
  const state = delegationState(delegation, nowMs);
  if (state === 'revoked' || state === 'ended') return delegation;
  return { ...delegation, revoked: { by: { iss: by.iss, sub: by.sub }, atMs: nowMs } };
}
