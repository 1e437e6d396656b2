import { createHash, randomBytes } from 'node:crypto';

import { OamError } from '../domain/errors.ts';
import type { Clock } from '../domain/time.ts';
import type { HttpTransport } from '../protocol/transport.ts';
import { DatabricksError, unexpectedAnswer } from './errors.ts';
import { type HostTrust, requireTrusted } from './host-trust.ts';
import { discoverOAuth, postForm, type RenewableToken, requestToken } from './oauth.ts';

/** The public client of Databricks' own command line; every workspace knows it. */
export const DATABRICKS_CLI_CLIENT_ID = 'databricks-cli';

const SCOPES = 'all-apis offline_access';

/** A workspace at which a person signs in by themselves (U2M), and how it is reached. */
export interface UserSignInPlace {
  /** Origin of the workspace, without a trailing slash. */
  readonly host: string;
  /** The public client that signs in: {@link DATABRICKS_CLI_CLIENT_ID}, or the company's own. */
  readonly clientId: string;
  readonly trust: HostTrust;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** A sign-in whose page can be opened. */
export interface BegunUserSignIn {
  /** The workspace's page, for the person's browser. */
  readonly address: string;
  /**
   * Trades the browser's answer for tokens. The answer's state is compared by whoever listened for it.
   *
   * @throws {OamError} `databricks_sign_in_denied`, `databricks_sign_in_refused`, `databricks_sign_in_mixed_up`, and what the token endpoint refuses with.
   */
  redeem(answer: URL): Promise<RenewableToken>;
}

/**
 * Begins a person's own sign-in at a workspace: authorization code grant with PKCE (S256). The tokens stand for the
 * person as Databricks knows them. Source: reference/databricks-auth.md §3.
 *
 * @throws {OamError} `untrusted_host` before anything is sent; `untrusted_token_endpoint` where the workspace names an
 *   endpoint on another origin; `databricks_unexpected_answer`.
 */
export async function beginUserSignIn(
  place: UserSignInPlace,
  { redirectUri, state }: { readonly redirectUri: string; readonly state: string },
): Promise<BegunUserSignIn> {
  const origin = requireTrusted(place.trust, place.host);
  const endpoints = await discoverOAuth(origin, place);
  if (endpoints.authorizationEndpoint === undefined) {
    throw unexpectedAnswer('discovery, authorization_endpoint');
  }
  const codeVerifier = randomBytes(32).toString('base64url');
  const page = new URL(endpoints.authorizationEndpoint);
  for (const [name, value] of Object.entries({
    response_type: 'code',
    client_id: place.clientId,
    redirect_uri: redirectUri,
    scope: SCOPES,
    state,
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
  })) {
    page.searchParams.set(name, value);
  }
  return {
    address: page.href,
    redeem(answer) {
      const issuer = answer.searchParams.get('iss');
      // RFC 9207: an answer from another workspace than the one that was asked is a mix-up. A workspace that gives
      // itself the name of another one (RFC 8414 §3.3) would be handed that one's code.
      const isOwn = issuer === endpoints.issuer && URL.parse(issuer ?? '')?.origin === origin;
      if (issuer === null ? endpoints.answersNameIssuer : !isOwn) throw mixedUp();
      const code = answer.searchParams.get('code');
      if (code === null || code === '') throw denied(answer.searchParams.get('error'));
      const form = new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: place.clientId,
        code,
        code_verifier: codeVerifier,
        redirect_uri: redirectUri,
      });
      return requestToken(endpoints.tokenEndpoint, form, {}, place);
    },
  };
}

/**
 * Trades a refresh token of a person's own sign-in for new tokens. The former one may be good no more, even where the
 * answer is lost: whoever calls this does so once at a time, and keeps what comes.
 *
 * @throws {OamError} `databricks_sign_in_ended` where the workspace takes the refresh token no more; and as
 *   {@link beginUserSignIn} does.
 */
export async function refreshUserToken(
  place: UserSignInPlace,
  refreshToken: string,
): Promise<RenewableToken> {
  const { tokenEndpoint } = await discoverOAuth(requireTrusted(place.trust, place.host), place);
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: place.clientId,
    refresh_token: refreshToken,
  });
  try {
    const renewed = await requestToken(tokenEndpoint, form, {}, place);
    // Where refresh tokens are good for more than one use, none comes with the answer.
    return { ...renewed, refreshToken: renewed.refreshToken ?? refreshToken };
  } catch (error) {
    if (!(error instanceof DatabricksError) || error.errorCode !== 'invalid_grant') throw error;
    throw new OamError(
      'databricks_sign_in_ended',
      'Databricks has ended your sign-in there. Sign in to Databricks again.',
      { detail: place.host, cause: error },
    );
  }
}

/**
 * Asks a workspace to forget a refresh token (RFC 7009). False where it has no way to, as Databricks today: what was
 * issued then lives until it ends by itself.
 */
export async function revokeUserToken(place: UserSignInPlace, refreshToken: string): Promise<boolean> {
  try {
    const { revocationEndpoint } = await discoverOAuth(requireTrusted(place.trust, place.host), place);
    if (revocationEndpoint === undefined) return false;
    const form = new URLSearchParams({
      token: refreshToken,
      token_type_hint: 'refresh_token',
      client_id: place.clientId,
    });
    return (await postForm(revocationEndpoint, form, {}, place)).status === 200;
  } catch {
    return false;
  }
}

/** Errors of RFC 6749 §4.1.2.1, which say that something is set up wrong and not that somebody said no. */
const SETUP_ERRORS = new Set([
  'invalid_request',
  'invalid_scope',
  'unauthorized_client',
  'unsupported_response_type',
]);

function denied(error: string | null): OamError {
  // The address is anybody's to write: only a word that is known is repeated.
  if (error !== null && SETUP_ERRORS.has(error)) {
    return new OamError(
      'databricks_sign_in_refused',
      'Databricks does not let OAM sign people in as it is registered. Ask the administrator of OAM.',
      { detail: error },
    );
  }
  return new OamError(
    'databricks_sign_in_denied',
    'The sign-in to Databricks was refused or cancelled in the browser. Sign in to Databricks again.',
  );
}

function mixedUp(): OamError {
  return new OamError(
    'databricks_sign_in_mixed_up',
    'The answer of the browser is from another workspace than the one that was asked, so it was thrown away. Sign in to Databricks again.',
  );
}
