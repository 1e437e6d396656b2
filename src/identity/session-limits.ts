import { OamError } from '../domain/errors.ts';
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../domain/time.ts';
import type { SessionLimits } from '../protocol/configuration.ts';

/**
 * Why a session is over by what a company allows, or nothing where it is not.
 *
 * @param session when the person showed who they are, and when they last did something.
 * @returns `session_over_limit`.
 */
export function overLimit(
  { absoluteHours, idleMinutes }: SessionLimits,
  session: { readonly beganAtMs: EpochMs | undefined; readonly usedAtMs: EpochMs },
  nowMs: EpochMs,
): OamError | undefined {
  const { beganAtMs, usedAtMs } = session;
  if (
    absoluteHours !== undefined &&
    beganAtMs !== undefined &&
    nowMs - beganAtMs >= absoluteHours * HOUR_MS
  ) {
    return new OamError('session_over_limit', 'Your company ends sessions after a while. Sign in again.', {
      detail: `${absoluteHours} h`,
    });
  }
  if (idleMinutes !== undefined && nowMs - usedAtMs >= idleMinutes * MINUTE_MS) {
    return new OamError(
      'session_over_limit',
      'Your company ends sessions that are not used for a while. Sign in again.',
      { detail: `${idleMinutes} min` },
    );
  }
  return undefined;
}

/**
 * Refuses a sign-in that is over the limit when it comes: a browser goes on with whoever it knows, and since when. Kept,
 * it would be ended at once, and the next one too. It is left to run out, because many providers end a person's other
 * tokens with it.
 *
 * @throws {OamError} `session_over_limit`.
 */
export function refuseOldSignIn(
  limits: SessionLimits | undefined,
  { beganAtMs }: { readonly beganAtMs?: EpochMs | undefined },
  nowMs: EpochMs,
): void {
  const over = overLimit(limits ?? {}, { beganAtMs, usedAtMs: nowMs }, nowMs);
  if (over === undefined) return;
  throw new OamError(
    'session_over_limit',
    'Your company ends sessions after a while, and your browser went on with an older sign-in. Sign out at the identity provider there, then sign in again.',
    over.detail === undefined ? {} : { detail: over.detail },
  );
}
