import { OamError } from '../../domain/errors.ts';
import { actsAsServicePrincipal, type CredentialKind } from '../../domain/role.ts';
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../domain/time.ts';
import type { Session } from '../../identity/index.ts';
import type { SessionLimits } from '../../protocol/configuration.ts';
import { describeMoment } from '../duration.ts';

/** True for a role that is somebody else of its own: the person's sign-in is not needed once it is there. */
export function worksAlone(credential: CredentialKind): boolean {
  return actsAsServicePrincipal(credential);
}

/**
 * Refuses to start what cannot be carried through: without a refresh token a session ends with its tokens, and what
 * works by the person's sign-in ends with it.
 *
 * @param credential the role's; a person's everyday access works as `member` does.
 * @param minutes how long it is needed; nothing is refused where nobody said.
 * @throws {OamError} `session_too_short`.
 */
export function assertLasts(
  credential: CredentialKind,
  session: Session,
  minutes: number | undefined,
  now: EpochMs,
  /** Until when the person's own sign-in at the workspace brings tokens, where that is where they come from. */
  ownSignInUntilMs?: EpochMs,
): void {
  if (worksAlone(credential) || minutes === undefined) return;
  const sessionUntilMs = session.refreshToken === undefined ? session.accessTokenExpiresAtMs : Infinity;
  const tokensUntilMs =
    ownSignInUntilMs ?? (session.refreshToken === undefined ? session.idTokenExpiresAtMs : Infinity);
  const endsAtMs = Math.min(sessionUntilMs, tokensUntilMs);
  if (endsAtMs >= now + minutes * MINUTE_MS) return;
  throw new OamError(
    'session_too_short',
    'Your session cannot be renewed and ends before the time that you need, so nothing was started. Ask your admin to allow the scope offline_access, or ask for less with --for.',
    { detail: `it ends at ${describeMoment(endsAtMs, now)}` },
  );
}

/**
 * Refuses to start what the company's limit would end on its way. Only everyday access hangs on the session in this way:
 * what hangs on a grant goes on until the grant ends.
 *
 * @param minutes how long it is needed; nothing is refused where nobody said.
 * @throws {OamError} `session_too_short`.
 */
export function assertWithinLimits(
  { beganAtMs }: Session,
  limits: SessionLimits | undefined,
  minutes: number | undefined,
  now: EpochMs,
): void {
  if (limits?.absoluteHours === undefined || beganAtMs === undefined || minutes === undefined) return;
  const endsAtMs = beganAtMs + limits.absoluteHours * HOUR_MS;
  if (endsAtMs >= now + minutes * MINUTE_MS) return;
  throw new OamError(
    'session_too_short',
    'Your company ends your session before the time that you need, so nothing was started. Sign in anew with oam login, ask for less with --for, or for a role: what hangs on a grant goes on until the grant ends.',
    { detail: `it ends at ${describeMoment(endsAtMs, now)}` },
  );
}
