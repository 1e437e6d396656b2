import { type EpochMs, MINUTE_MS } from '../domain/time.ts';
import type { Session } from './session.ts';
import { lifeOf } from './tokens.ts';

/** Which of the two tokens: the control plane's, or a workspace's. */
export type Door = 'access' | 'subject';

/** Tokens are refreshed this long before they end, or half their life before if that is less. */
const REFRESH_AHEAD_MS = MINUTE_MS;

/** Up to so much earlier, in each window by another while, so that they do not all ask in the same second. */
const JITTER_MS = MINUTE_MS / 2;

/**
 * When each token of a session is due for a refresh.
 *
 * @param random a number from 0 to below 1: how early this window refreshes among the others.
 */
export function refreshMoments(random: () => number): (session: Session, door: Door) => EpochMs {
  const aheadMs = REFRESH_AHEAD_MS + random() * JITTER_MS;
  return (session, door) => {
    const { token, expiresAtMs } = tokenFor(session, door);
    return expiresAtMs - Math.min(aheadMs, (lifeOf(token) ?? Infinity) / 2);
  };
}

/** The token for a door, and when it ends. */
export function tokenFor(
  session: Session,
  door: Door,
): { readonly token: string; readonly expiresAtMs: EpochMs } {
  return door === 'access'
    ? { token: session.accessToken, expiresAtMs: session.accessTokenExpiresAtMs }
    : { token: session.idToken, expiresAtMs: session.idTokenExpiresAtMs };
}
