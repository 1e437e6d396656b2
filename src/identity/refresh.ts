import { samePrincipal } from '../domain/principal.ts';
import { SECOND_MS } from '../domain/time.ts';
import { resourceParameter } from './configuration.ts';
import type { DiscoveredIdentityProvider } from './discovery.ts';
import { asIdentityFailure, sessionExpired, wrongIssuer } from './failures.ts';
import { receivedTokens } from './received-tokens.ts';
import { principalOf, type Session } from './session.ts';
import { sessionOf } from './tokens.ts';

/** Signing out does not wait longer than this for the provider. */
const REVOCATION_TIMEOUT_MS = 3 * SECOND_MS;

/**
 * Trades the refresh token for new tokens of the same person.
 *
 * @throws {OamError} `session_expired` where the provider does not take the refresh token, or there is none;
 *   `identity_provider_unavailable`, `identity_provider_refused`, `wrong_issuer`, `wrong_audience`.
 */
export async function refreshSession(idp: DiscoveredIdentityProvider, session: Session): Promise<Session> {
  if (session.issuer !== idp.configuration.issuer) {
    throw wrongIssuer(`the session is from ${session.issuer}`);
  }
  if (session.refreshToken === undefined) throw sessionExpired('there is no refresh token');
  try {
    const answer = await idp.library.refreshTokenGrant(
      idp.client,
      session.refreshToken,
      resourceParameter(idp.configuration),
    );
    const refreshed = sessionOf(idp.configuration, receivedTokens(answer, session));
    if (refreshed.subject !== session.subject) {
      throw sessionExpired('the identity provider answered for somebody else');
    }
    return { ...refreshed, beganAtMs: session.beganAtMs, signInId: session.signInId };
  } catch (error) {
    throw asIdentityFailure(idp.library, error, 'refresh');
  }
}

/** Asks the provider to forget the session. Best effort: false where that could not be done. */
export async function revokeSession(
  idp: DiscoveredIdentityProvider,
  session: Pick<Session, 'refreshToken'>,
): Promise<boolean> {
  if (session.refreshToken === undefined) return false;
  if (idp.client.serverMetadata().revocation_endpoint === undefined) return false;
  const revoked = idp.library
    .tokenRevocation(idp.client, session.refreshToken, { token_type_hint: 'refresh_token' })
    .then(
      () => true,
      () => false,
    );
  return Promise.race([revoked, elapsed(REVOCATION_TIMEOUT_MS)]);
}

/** Ends what a refresh brought too late, unless that would end the same person's new session too. */
export async function revokeUnlessSamePerson(
  idp: DiscoveredIdentityProvider,
  late: Session,
  present: Session | undefined,
): Promise<void> {
  if (present && samePrincipal(principalOf(present), principalOf(late))) return;
  await revokeSession(idp, late);
}

function elapsed(ms: number): Promise<false> {
  return new Promise((resolve) => {
    setTimeout(() => {
      resolve(false);
    }, ms).unref();
  });
}
