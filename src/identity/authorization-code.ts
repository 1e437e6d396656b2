import { type BrowserOptions, visitInBrowser } from './browser-answer.ts';
import { resourceParameter } from './configuration.ts';
import type { DiscoveredIdentityProvider } from './discovery.ts';
import { asIdentityFailure, wrongIssuer } from './failures.ts';
import { whileWanted } from './granting.ts';
import { receivedTokens } from './received-tokens.ts';
import type { Session } from './session.ts';
import { sessionOf } from './tokens.ts';

/** Whom the provider's page is to sign in: somebody of this user name, or anybody, but not without asking. */
export type Who = { readonly userName: string } | 'ask';

/** How to sign in through a browser. */
export interface AuthorizationCodeOptions extends BrowserOptions {
  /** Who is to sign in; whoever the provider's page already knows unless told. */
  readonly who?: Who | undefined;
  /** The provider asks anew where the person showed who they are longer ago than this, in seconds. */
  readonly maxAgeSeconds?: number | undefined;
}

/**
 * Signs in by the authorization code grant with PKCE. State and nonce are compared, the answer must name the right
 * issuer (RFC 9207), and only one answer is taken.
 *
 * @throws {OamError} `sign_in_denied`, `sign_in_timed_out`, `state_mismatch`, `wrong_issuer`, `wrong_audience`,
 *   `identity_provider_unavailable`, `identity_provider_refused`, and what `listen` throws.
 * @throws {CancelledError} when `signal` fired.
 */
export async function signInWithAuthorizationCode(
  idp: DiscoveredIdentityProvider,
  options: AuthorizationCodeOptions,
): Promise<Session> {
  const { configuration, client, library } = idp;
  const pkceCodeVerifier = library.randomPKCECodeVerifier();
  const expectedState = library.randomState();
  const expectedNonce = library.randomNonce();
  try {
    return await visitInBrowser(options, {
      state: expectedState,
      async page(redirectUri) {
        const page = library.buildAuthorizationUrl(client, {
          redirect_uri: redirectUri,
          scope: configuration.scopes.join(' '),
          code_challenge: await library.calculatePKCECodeChallenge(pkceCodeVerifier),
          code_challenge_method: 'S256',
          state: expectedState,
          nonce: expectedNonce,
          ...resourceParameter(configuration),
          ...whoParameter(idp, options.who),
          ...(options.maxAgeSeconds !== undefined && { max_age: String(options.maxAgeSeconds) }),
        });
        return page.href;
      },
      async take(answer, stop) {
        assertIssuer(idp, answer);
        const tokens = await whileWanted(
          idp,
          library.authorizationCodeGrant(
            client,
            answer,
            { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true },
            resourceParameter(configuration),
          ),
          stop,
        );
        return sessionOf(configuration, receivedTokens(tokens));
      },
    });
  } catch (error) {
    throw asIdentityFailure(library, error, 'sign-in');
  }
}

/** RFC 9207: an answer from another provider than the one that was asked is a mix-up attack. */
function assertIssuer(idp: DiscoveredIdentityProvider, answer: URL): void {
  const issuer = answer.searchParams.get('iss');
  const announced = idp.client.serverMetadata().authorization_response_iss_parameter_supported === true;
  if (issuer === null ? announced : issuer !== idp.configuration.issuer) {
    throw wrongIssuer('the browser came back from somebody else');
  }
}

/**
 * OpenID Connect Core §3.1.2.1. A browser that is signed in as somebody would go on as them without a word; every
 * provider knows how to ask for the sign-in again, some how to ask for the account.
 */
function whoParameter(idp: DiscoveredIdentityProvider, who: Who | undefined): Record<string, string> {
  if (who === undefined) return {};
  if (who !== 'ask') return { login_hint: who.userName };
  const known = idp.client.serverMetadata()['prompt_values_supported'];
  return { prompt: Array.isArray(known) && known.includes('select_account') ? 'select_account' : 'login' };
}
