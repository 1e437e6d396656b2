import { OamError } from './errors.ts';
import type { Grant } from './grant.ts';
import type { Role } from './role.ts';
import { type EpochMs, MINUTE_MS, minutesToMs } from './time.ts';

/** What a role allows of extensions. */
export type ExtensionTerms = Pick<Role, 'defaultMinutes' | 'maxMinutes' | 'maxTotalMinutes'>;

/** An active grant, with the times that every active one has. */
export type ActiveGrant<G extends Grant> = G & {
  readonly state: 'active';
  readonly endsAtMs: EpochMs;
  readonly heldSinceMs: EpochMs;
};

/** A grant's end is moved by a second grant: both as they stand after the moment in which one follows the other. */
export interface Handover<G extends Grant> {
  readonly earlier: G;
  readonly later: G;
}

/**
 * A grant as one that can be extended: its window has begun and is not over, whether or not its end was noticed.
 *
 * @throws {OamError} `already_extended`, `grant_not_active`, `bad_request` (a run holds it).
 */
export function expectExtendable<G extends Grant>(grant: G, nowMs: EpochMs): ActiveGrant<G> {
  if (grant.successorId !== undefined) {
    throw new OamError(
      'already_extended',
      'This access has been extended already. Refresh to see until when it lasts now.',
      { detail: `grant ${grant.successorId}` },
    );
  }
  if (grant.runGraceMinutes !== undefined) {
    throw new OamError(
      'bad_request',
      'The access of a run goes on by itself while the run lives. If that is too short, ask for a longer window from the start.',
    );
  }
  if (isExtendable(grant, nowMs)) return grant;
  throw new OamError(
    'grant_not_active',
    'Only access that is active can be extended. Ask for the role instead.',
    { detail: grant.state },
  );
}

/**
 * By how much a grant is extended, in whole minutes: what was asked for or, where nothing was, the role's usual
 * window as far as it fits. The new end lies at most `maxMinutes` ahead, and at most `maxTotalMinutes` after the
 * beginning.
 *
 * @throws {OamError} `window_too_short`, `bad_request` for a part of a minute, `window_too_long`.
 */
export function extensionMinutes(
  grant: ActiveGrant<Grant>,
  asked: number | undefined,
  terms: ExtensionTerms,
  nowMs: EpochMs,
): number {
  const ahead = Math.floor((nowMs + minutesToMs(terms.maxMinutes) - grant.endsAtMs) / MINUTE_MS);
  const inTotal = terms.maxTotalMinutes - heldMinutesAtEnd(grant);
  const most = Math.max(0, Math.min(ahead, inTotal));
  const minutes = asked ?? Math.min(terms.defaultMinutes, most);
  if (asked !== undefined && asked < 1) {
    throw new OamError('window_too_short', 'Extend by at least one minute.', {
      detail: `asked for ${asked}`,
    });
  }
  if (minutes > most || minutes < 1) {
    const detail = `by ${most} minutes at most`;
    if (inTotal <= ahead) {
      throw new OamError(
        'window_too_long',
        'This role cannot be held that long in one go. Extend it by less, or ask for it again after its end.',
        { detail },
      );
    }
    throw new OamError(
      'window_too_long',
      'So much of this role cannot lie ahead at once. Extend it by less, or later.',
      { detail },
    );
  }
  if (!Number.isInteger(minutes)) {
    throw new OamError('bad_request', 'Extend by whole minutes.', { detail: `asked for ${minutes}` });
  }
  return minutes;
}

/** How long the role will have been held without a gap at the grant's end, in minutes. */
export function heldMinutesAtEnd(grant: ActiveGrant<Grant>): number {
  return Math.round((grant.endsAtMs - grant.heldSinceMs) / MINUTE_MS);
}

/**
 * Extends a grant without a gap. In one moment the earlier grant ends, its membership kept, and the later one is
 * active until `minutes` after the earlier one would have ended: at every moment exactly one of them lives.
 *
 * @throws {OamError} `already_extended`, `grant_not_active`, `bad_request` (a run holds it).
 */
export function handOver<G extends Grant>(
  grant: G,
  seed: Pick<Grant, 'id' | 'requestId' | 'minutes'>,
  nowMs: EpochMs,
): Handover<G> {
  const active = expectExtendable(grant, nowMs);
  const endsAtMs = active.endsAtMs + minutesToMs(seed.minutes);
  return {
    earlier: {
      ...grant,
      version: grant.version + 1,
      state: 'ended',
      endReason: 'extended',
      successorId: seed.id,
      trouble: undefined,
    },
    later: {
      ...grant,
      ...seed,
      version: 1,
      createdAtMs: nowMs,
      activatedAtMs: nowMs,
      endsAtMs,
      deadlineAtMs: endsAtMs,
      extendsId: grant.id,
      // What was taken in an emergency and is kept by approval needs no second look.
      review: undefined,
      trouble: undefined,
    },
  };
}

/** True while a grant's window has begun and is not over, whether or not its end was noticed. */
export function isExtendable<G extends Grant>(grant: G, nowMs: EpochMs): grant is ActiveGrant<G> {
  return (
    grant.state === 'active' &&
    grant.heldSinceMs !== undefined &&
    grant.endsAtMs !== undefined &&
    nowMs < grant.endsAtMs
  );
}
