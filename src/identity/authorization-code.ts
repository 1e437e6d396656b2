import { type BrowserOptions, visitInBrowser } from './browser-answer.ts';
import { resourceParameter } from './configuration.ts';
import type { DiscoveredIdentityProvider } from './discovery.ts';
import { asIdentityFailure, wrongIssuer } from './failures.ts';
import { whileWanted } from './granting.ts';
import { receivedTokens } from './received-tokens.ts';
import { revokeSession } from './refresh.ts';
import type { Session } from './session.ts';
import { sessionOf } from './tokens.ts';

/** Whom the provider's page is to sign in: somebody of this user name, or anybody, but not without asking. */
export type Who = { readonly userName: string } | 'ask';

/** How to sign in through a browser. */
export interface AuthorizationCodeOptions extends BrowserOptions {
  /** Who is to sign in; whoever the provider's page already knows unless told. */
  readonly who?: Who | undefined;
  /**
   * The person who is signed in here and is to be signed in anew, without being asked where the provider's page still
   * knows them. Where it does not, or knows somebody else, they are asked in the same page.
   */
  readonly again?: { readonly subject: string; readonly userName: string } | undefined;
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
  const { again, ...asked } = options;
  if (again === undefined) return visitProvider(idp, asked);
  const who = { userName: again.userName };
  return visitProvider(idp, { ...asked, who, silently: true }, again.subject);
}

/** @param subject whose answer a silent visit is to bring; anybody else's is followed by a visit that asks. */
async function visitProvider(
  idp: DiscoveredIdentityProvider,
  options: AuthorizationCodeOptions & { readonly silently?: boolean },
  subject?: string,
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
          ...(options.silently === true && { prompt: 'none' }),
          ...(options.maxAgeSeconds !== undefined && { max_age: String(options.maxAgeSeconds) }),
        });
        return page.href;
      },
      async take(answer, stop, callback) {
        assertIssuer(idp, answer);
        const ask = (): Promise<Session> =>
          visitProvider(idp, {
            ...{ ...options, silently: false, signal: stop },
            openBrowser: callback.goOn ?? ((url) => options.openBrowser(url)),
          });
        if (options.silently === true && ASK_FIRST.has(answer.searchParams.get('error') ?? '')) return ask();
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
        const session = sessionOf(configuration, receivedTokens(tokens));
        if (subject === undefined || session.subject === subject) return session;
        // The browser knows somebody else: nobody is to be changed for them without a word.
        void revokeSession(idp, session);
        return ask();
      },
    });
  } catch (error) {
    throw asIdentityFailure(library, error, 'sign-in');
  }
}

/** OpenID Connect Core §3.1.2.6: the provider cannot go on without a word of the person. */
const ASK_FIRST: ReadonlySet<string> = new Set([
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
]);

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
