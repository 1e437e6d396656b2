import type * as oidc from 'openid-client';

import { CancelledError, OamError } from '../domain/errors.ts';

/** The protocol library, loaded with the first sign-in or refresh. */
export type OidcLibrary = typeof oidc;

/** What was being done when a failure came: the same answer means different things at different moments. */
export type Moment = 'discovery' | 'sign-in' | 'device-code' | 'refresh';

/** True where the identity provider could not be asked, so that nothing is known about the session. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof OamError && error.code === 'identity_provider_unavailable';
}

/** Nobody answered, or nobody who could. It says nothing about the session, so it never signs anybody out. */
export function unavailable(detail: string, cause?: unknown): OamError {
  return new OamError(
    'identity_provider_unavailable',
    'The identity provider cannot be reached. You stay signed in; try again in a moment.',
    { detail, cause },
  );
}

/** Nobody is signed in, or nobody who acts. */
export function notSignedIn(): OamError {
  return new OamError('not_signed_in', 'You are not signed in. Sign in first.');
}

/** The session is over at the identity provider. */
export function sessionExpired(detail?: string): OamError {
  return new OamError(
    'session_expired',
    'Your session has ended. Sign in again.',
    detail === undefined ? {} : { detail },
  );
}

/** The provider renews the token for the control plane, but not the one for Databricks. */
export function databricksSignInNeeded(): OamError {
  return new OamError(
    'databricks_sign_in_needed',
    'Your identity provider renews your sign-in to Databricks only when you sign in. Sign in again; requests and approvals go on working meanwhile.',
  );
}

/** Another window has signed somebody else in since. */
export function principalChanged(): OamError {
  return new OamError(
    'principal_changed',
    'Somebody else has signed in meanwhile, and this was not done in their name. Look who is signed in, and begin again.',
  );
}

/** Somebody, or the provider's policy, said no. */
export function signInDenied(detail?: string): OamError {
  return new OamError(
    'sign_in_denied',
    'The sign-in was refused or cancelled in the browser. Sign in again.',
    detail === undefined ? {} : { detail },
  );
}

/** The same, where it went by a code: many companies switch that off, and the provider says no more than this. */
export function deviceCodeDenied(detail?: string): OamError {
  return new OamError(
    'sign_in_denied',
    'The code was refused in the browser, or your company does not allow to sign in with a code. Sign in again, in another way if you can choose one, or ask your IT.',
    detail === undefined ? {} : { detail },
  );
}

/** Nobody finished the sign-in in time. */
export function signInTimedOut(): OamError {
  return new OamError('sign_in_timed_out', 'Nobody finished the sign-in in time. Start it again.');
}

/** A token that was just issued is of another time than this machine's. */
function clockOff(claim: string | undefined): OamError {
  return new OamError(
    'clock_off',
    'The clock of this machine and that of the identity provider differ by minutes. Set this one by the network, and sign in again.',
    claim === undefined ? {} : { detail: `the ID token's ${claim}` },
  );
}

/** Somebody else than the configured issuer answers there. */
export function wrongIssuer(detail: string): OamError {
  return new OamError(
    'wrong_issuer',
    'This is not the identity provider that OAM is configured for. Ask the administrator of OAM to correct the issuer.',
    { detail },
  );
}

/** The browser came back with an answer to a question that was not asked here. */
export function stateMismatch(): OamError {
  return new OamError(
    'state_mismatch',
    'The browser brought an answer that does not belong to this sign-in. Start the sign-in again.',
  );
}

/**
 * Says a failure of the protocol library in our words. The library's errors do not travel along as `cause`: they hold
 * whole answers, with codes and tokens in them.
 */
export function asIdentityFailure(library: OidcLibrary, error: unknown, moment: Moment): unknown {
  if (error instanceof OamError) return error;
  if (error instanceof library.ResponseBodyError || error instanceof library.AuthorizationResponseError) {
    const status = 'status' in error ? error.status : undefined;
    return ofErrorCode(error.error, status, moment, reasonIn(error.error_description));
  }
  if (error instanceof library.WWWAuthenticateChallengeError) {
    return refused(`HTTP ${error.status}`);
  }
  if (error instanceof library.ClientError) return ofClientError(error, moment);
  if (error instanceof TypeError && (error.cause !== undefined || error.message === 'fetch failed')) {
    return unavailable(networkCode(error), error);
  }
  return error;
}

/** Entra ID's number for the reason. The rest of a description may tell of the person, so it stays out. */
function reasonIn(description: string | undefined): string | undefined {
  return /\bAADSTS\d{1,10}\b/.exec(description ?? '')?.[0];
}

/** Entra ID's numbers for what a company's Conditional Access forbids, which also come as `invalid_grant`. */
const CONDITIONAL_ACCESS = /^AADSTS530?\d{3}$/;

function ofErrorCode(
  code: string,
  status: number | undefined,
  moment: Moment,
  reason: string | undefined,
): OamError {
  if (
    code === 'server_error' ||
    code === 'temporarily_unavailable' ||
    (status !== undefined && isBusy(status))
  ) {
    return unavailable(code);
  }
  switch (code) {
    case 'access_denied':
    // Entra ID's word for it.
    case 'authorization_declined':
      return moment === 'device-code' ? deviceCodeDenied(reason) : signInDenied(reason);
    case 'expired_token':
      return signInTimedOut();
    case 'invalid_grant':
      if (moment === 'refresh') return sessionExpired(reason);
      if (reason === undefined || !CONDITIONAL_ACCESS.test(reason)) return signInTimedOut();
      return moment === 'device-code' ? deviceCodeDenied(reason) : signInDenied(reason);
    case 'login_required':
    case 'interaction_required':
    case 'consent_required':
      if (moment === 'refresh') return sessionExpired(reason ?? code);
      return moment === 'device-code' ? deviceCodeDenied(reason ?? code) : signInDenied(reason ?? code);
    case 'invalid_target':
      return new OamError(
        'wrong_audience',
        'The identity provider does not know the audience of OAM. Ask its administrator to register it.',
      );
    default:
      return refused(reason ?? code);
  }
}

function ofClientError(error: oidc.ClientError, moment: Moment): OamError {
  const { code, cause } = error;
  if (code === 'OAUTH_ABORT') return new CancelledError();
  if (code === undefined || code === 'OAUTH_TIMEOUT') return unavailable('no answer');
  if (cause instanceof Response) {
    if (moment === 'discovery' && !isBusy(cause.status)) return wrongIssuer(`HTTP ${cause.status}`);
    return unavailable(`HTTP ${cause.status}`);
  }
  if (code === 'OAUTH_JWT_CLAIM_COMPARISON_FAILED') {
    const claim = claimOf(cause);
    if (claim === 'iss') return wrongIssuer('the ID token names another issuer');
    if (claim === 'nonce') return stateMismatch();
    if (claim === 'aud' || claim === 'azp') {
      return new OamError(
        'wrong_audience',
        'The identity provider gave a token for somebody else. Ask its administrator to correct the registration of OAM.',
        { detail: 'the ID token is not for this client' },
      );
    }
  }
  if (code === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED') return clockOff(claimOf(cause));
  if (moment === 'discovery') return wrongIssuer(error.message);
  return refused(error.message);
}

function claimOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || typeof error.cause !== 'object' || error.cause === null) return undefined;
  return 'claim' in error.cause && typeof error.cause.claim === 'string' ? error.cause.claim : undefined;
}

function refused(detail: string): OamError {
  return new OamError(
    'identity_provider_refused',
    'The identity provider does not accept OAM as it is registered. Ask the administrator of OAM.',
    { detail },
  );
}

function isBusy(status: number): boolean {
  return status === 429 || status >= 500;
}

function networkCode(error: TypeError): string {
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'network';
}
