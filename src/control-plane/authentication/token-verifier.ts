import { decodeJwt, errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose';

import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import { type EpochMs, fromUnixSeconds, MINUTE_MS } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import type { ServerConfiguration } from '../configuration/configuration.ts';
import { principalOf, textOf } from './claims.ts';
import { createProviderKeys, isUnsigned, SIGNATURE_ALGORITHMS } from './provider-keys.ts';

/** Somebody who presented a token that is good. */
export interface Bearer {
  readonly principal: Principal;
  /** When the token stops being good. */
  readonly expiresAtMs: EpochMs;
  readonly issuedAtMs: EpochMs;
  /** `jti`, where the identity provider gives tokens ids. */
  readonly tokenId: string | undefined;
  /** The client that it was issued to, where the token says so. */
  readonly clientId: string | undefined;
}

/** A token that is not good for this control plane. */
export class TokenRefused extends OamError {
  /** Whom the token names; present only where its signature is the identity provider's. */
  readonly principal: Principal | undefined;

  constructor(code: string, sentence: string, principal?: Principal) {
    super(code, sentence);
    this.name = 'TokenRefused';
    this.principal = principal;
  }
}

/** Judges access tokens. */
export interface TokenVerifier {
  /**
   * @throws {TokenRefused} `not_signed_in` (no token, or not one of the identity provider's), `wrong_issuer`,
   * `wrong_audience`, `wrong_token_kind`, `session_expired`.
   * @throws {OamError} `identity_provider_unavailable` when its keys cannot be read.
   */
  verify(token: string, nowMs: EpochMs): Promise<Bearer>;
}

const CLOCK_TOLERANCE_SECONDS = 5;

/**
 * How far the identity provider's clock may be ahead of the store's. What it says holds against everything that was
 * issued before, so a token from the far future would stand in the way of the truth until then.
 */
const MAX_ISSUED_AHEAD_MS = 5 * MINUTE_MS;

/** Judges tokens by the identity provider's published keys, which are read when the first token comes. */
export function createTokenVerifier(
  identity: ServerConfiguration['identity'],
  transport: HttpTransport,
): TokenVerifier {
  const keysOfProvider = createProviderKeys({ issuer: identity.issuer, transport });

  return {
    async verify(token, nowMs) {
      expectOurIssuer(token, identity.issuer);
      const getKey = await keysOfProvider().catch((error: unknown) => {
        throw unavailable(error);
      });
      const claims = await verifySignature(token, getKey, identity, nowMs);
      expectIssuedByNow(claims, identity, nowMs);
      expectAccessToken(claims, identity);
      return {
        principal: principalOf(claims, identity.claims),
        expiresAtMs: fromUnixSeconds(claims.exp ?? 0),
        issuedAtMs: fromUnixSeconds(claims.iat ?? 0),
        tokenId: textOf(claims.jti),
        clientId: textOf(claims['azp']) ?? textOf(claims['client_id']),
      };
    },
  };
}

/** Read before the signature, only to say which of the two is wrong: nothing else is taken from it. */
function expectOurIssuer(token: string, issuer: string): void {
  let claims: JWTPayload;
  try {
    claims = decodeJwt(token);
  } catch {
    throw notSignedIn();
  }
  if (claims.iss !== issuer) {
    throw new TokenRefused(
      'wrong_issuer',
      'This token comes from another identity provider than the one this control plane trusts. Sign out, and sign in again.',
    );
  }
}

async function verifySignature(
  token: string,
  getKey: JWTVerifyGetKey,
  identity: ServerConfiguration['identity'],
  nowMs: EpochMs,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, getKey, {
      issuer: identity.issuer,
      audience: identity.audience,
      algorithms: [...SIGNATURE_ALGORITHMS],
      requiredClaims: ['sub', 'iat', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(nowMs),
    });
    return payload;
  } catch (error) {
    throw asRefusal(error, identity);
  }
}

function expectIssuedByNow(
  claims: JWTPayload,
  identity: ServerConfiguration['identity'],
  nowMs: EpochMs,
): void {
  if (fromUnixSeconds(claims.iat ?? 0) - nowMs <= MAX_ISSUED_AHEAD_MS) return;
  throw new TokenRefused(
    'not_signed_in',
    "The identity provider's clock is far ahead of the control plane's. Tell your administrator, who has to set one of them right.",
    principalOf(claims, identity.claims),
  );
}

/**
 * A token that is good for the editor's own client as well is good for Databricks' federation: it would open both
 * doors, so it opens none. The marks of an ID token are refused whatever its audience.
 */
function expectAccessToken(claims: JWTPayload, identity: ServerConfiguration['identity']): void {
  const audiences = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
  if (audiences.includes(identity.clientId)) throw wrongAudience(claims, identity);
  if ('nonce' in claims || 'at_hash' in claims || 'c_hash' in claims) {
    throw new TokenRefused(
      'wrong_token_kind',
      'This is an ID token. The control plane takes the access token; sign in again so that the right one is sent.',
      principalOf(claims, identity.claims),
    );
  }
}

function asRefusal(error: unknown, identity: ServerConfiguration['identity']): OamError {
  if (error instanceof errors.JWTExpired) {
    return new TokenRefused(
      'session_expired',
      'Your session has expired. Sign in again.',
      principalOf(error.payload, identity.claims),
    );
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return wrongAudience(error.payload, identity);
    return notSignedIn(principalOf(error.payload, identity.claims));
  }
  if (isUnsigned(error)) {
    return notSignedIn();
  }
  return unavailable(error);
}

function wrongAudience(claims: JWTPayload, identity: ServerConfiguration['identity']): TokenRefused {
  return new TokenRefused(
    'wrong_audience',
    'This token was issued for another service. The control plane takes the access token that was issued for it; sign in again.',
    principalOf(claims, identity.claims),
  );
}

function notSignedIn(principal?: Principal): TokenRefused {
  return new TokenRefused('not_signed_in', 'You are not signed in. Sign in and try again.', principal);
}

function unavailable(cause: unknown): OamError {
  return new OamError(
    'identity_provider_unavailable',
    'Your sign-in cannot be checked because the identity provider does not answer. Try again in a minute.',
    { cause },
  );
}
