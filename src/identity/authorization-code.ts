import { MINUTE_MS } from '../domain/time.ts';
import { CancelledError } from '../domain/errors.ts';
import { cancellable } from './cancellation.ts';
import { resourceParameter } from './configuration.ts';
import type { DiscoveredIdentityProvider } from './discovery.ts';
import { asIdentityFailure, signInTimedOut, wrongIssuer } from './failures.ts';
import { whileWanted } from './granting.ts';
import { receivedTokens } from './received-tokens.ts';
import type { Session } from './session.ts';
import { sessionOf } from './tokens.ts';

/** Takes one answer of the browser. */
export interface Callback {
  /** Where the identity provider sends the browser back to. */
  readonly redirectUri: string;
  /**
   * The address that the browser came back with. Rejects with `state_mismatch` where its state is not the expected one.
   */
  readonly answer: Promise<URL>;
  /** Tells the person, where it can, how it ended, and takes no answer any more. */
  close(outcome: 'signed-in' | 'failed'): Promise<void>;
}

/** Whom the provider's page is to sign in: somebody of this user name, or anybody, but not without asking. */
export type Who = { readonly userName: string } | 'ask';

/** How to sign in through a browser. */
export interface AuthorizationCodeOptions {
  /** Begins to wait for the answer that carries this state. */
  listen(expectedState: string): Promise<Callback>;
  /** Opens the provider's page for the person. */
  openBrowser(url: string): Promise<void> | void;
  /** Who is to sign in; whoever the provider's page already knows unless told. */
  readonly who?: Who | undefined;
  /** The provider asks anew where the person showed who they are longer ago than this, in seconds. */
  readonly maxAgeSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the person has, in milliseconds; five minutes unless told. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 5 * MINUTE_MS;

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
  if (options.signal?.aborted) throw new CancelledError();
  const deadline = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const stop = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;

  const pkceCodeVerifier = library.randomPKCECodeVerifier();
  const expectedState = library.randomState();
  const expectedNonce = library.randomNonce();
  const callback = await options.listen(expectedState);
  let outcome: 'signed-in' | 'failed' = 'failed';
  try {
    const page = library.buildAuthorizationUrl(client, {
      redirect_uri: callback.redirectUri,
      scope: configuration.scopes.join(' '),
      code_challenge: await library.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
      ...resourceParameter(configuration),
      ...whoParameter(idp, options.who),
      ...(options.maxAgeSeconds !== undefined && { max_age: String(options.maxAgeSeconds) }),
    });
    // Opening may last as long as the page is open: what ends the wait is the answer, or an opening that fails.
    const opened = Promise.resolve().then(() => options.openBrowser(page.href));
    const answer = await cancellable(
      Promise.race([callback.answer, opened.then(() => callback.answer)]),
      stop,
    );
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
    const session = sessionOf(configuration, receivedTokens(tokens));
    outcome = 'signed-in';
    return session;
  } catch (error) {
    if (error instanceof CancelledError && !options.signal?.aborted && deadline.aborted) {
      throw signInTimedOut();
    }
    throw asIdentityFailure(library, error, 'sign-in');
  } finally {
    await callback.close(outcome);
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
