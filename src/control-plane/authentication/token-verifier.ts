import {
  decodeJwt,
  errors,
  type JWTHeaderParameters,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
} from 'jose';

import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import { DAY_MS, type EpochMs, fromUnixSeconds, MINUTE_MS } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import { principalOf, subjectOf, textOf } from './claims.ts';
import { createProviderKeys, isUnsigned, SIGNATURE_ALGORITHMS } from './provider-keys.ts';
import type { IdentityTrust } from './settings.ts';

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
  /** `sid`, where the token says of which session it is. */
  readonly sessionId?: string | undefined;
  /** `auth_time`: when the person showed who they are, where the token says so. */
  readonly signedInAtMs?: EpochMs | undefined;
  /** Present where a program asks that works under one grant, and may do nothing else. */
  readonly runner?: RunnerFacts;
}

/** A runner that asks, as it is known by its token. */
export interface RunnerFacts {
  readonly id: string;
  readonly grantId: string;
  /** Whether its token has expired: with that it gets the next one, and nothing else. */
  readonly isExpired: boolean;
  /** Which of its tokens it came with. */
  readonly tokenSha256: string;
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
   * `wrong_audience`, `wrong_token_kind`, `wrong_client`, `token_lives_too_long`, `session_expired`.
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

/** What lives longer is a password. */
const MAX_LIFE_MS = DAY_MS;

const MAX_SUBJECT_CHARACTERS = 1_000;

/** Judges tokens by the identity provider's published keys, which are read when the first token comes. */
export function createTokenVerifier(identity: IdentityTrust, transport: HttpTransport): TokenVerifier {
  const keysOfProvider = createProviderKeys({ issuer: identity.issuer, transport });

  return {
    async verify(token, nowMs) {
      expectOurIssuer(token, identity.issuer);
      const getKey = await keysOfProvider().catch((error: unknown) => {
        throw unavailable(error);
      });
      const { payload: claims, protectedHeader } = await verifySignature(token, getKey, identity, nowMs);
      expectSubject(claims, identity);
      expectIssuedByNow(claims, identity, nowMs);
      expectShortLife(claims, identity);
      expectAccessToken(claims, protectedHeader, identity);
      const clientId = clientOf(claims, identity);
      expectOurClient(clientId, claims, identity);
      return {
        principal: principalOf(claims, identity),
        expiresAtMs: fromUnixSeconds(claims.exp ?? 0),
        issuedAtMs: fromUnixSeconds(claims.iat ?? 0),
        tokenId: textOf(claims.jti),
        clientId,
        sessionId: textOf(claims['sid']),
        signedInAtMs:
          typeof claims['auth_time'] === 'number' ? fromUnixSeconds(claims['auth_time']) : undefined,
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
  identity: IdentityTrust,
  nowMs: EpochMs,
): Promise<{ readonly payload: JWTPayload; readonly protectedHeader: JWTHeaderParameters }> {
  try {
    return await jwtVerify(token, getKey, {
      issuer: identity.issuer,
      audience: identity.audience,
      algorithms: [...SIGNATURE_ALGORITHMS],
      requiredClaims: ['sub', 'iat', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(nowMs),
    });
  } catch (error) {
    throw asRefusal(error, identity);
  }
}

function expectIssuedByNow(claims: JWTPayload, identity: IdentityTrust, nowMs: EpochMs): void {
  if (fromUnixSeconds(claims.iat ?? 0) - nowMs <= MAX_ISSUED_AHEAD_MS) return;
  throw new TokenRefused(
    'not_signed_in',
    "The identity provider's clock is far ahead of the control plane's. Tell your administrator, who has to set one of them right.",
    principalOf(claims, identity),
  );
}

/** Subjects are keys of rows: one that is missing is nobody, and what no provider sends is not taken. */
function expectSubject(claims: JWTPayload, identity: IdentityTrust): void {
  const subject = subjectOf(claims, identity.claims);
  if (subject === undefined || subject.length > MAX_SUBJECT_CHARACTERS) {
    throw new TokenRefused(
      'wrong_token_kind',
      `The identity provider's token does not say who you are. Tell your administrator to check 'identity.profile' and the claim '${identity.claims.subject}'.`,
    );
  }
}

function expectShortLife(claims: JWTPayload, identity: IdentityTrust): void {
  if (fromUnixSeconds(claims.exp ?? 0) - fromUnixSeconds(claims.iat ?? 0) <= MAX_LIFE_MS) return;
  throw new TokenRefused(
    'token_lives_too_long',
    "The identity provider's access tokens live longer than a day. Tell your administrator to shorten their life, best to an hour.",
    principalOf(claims, identity),
  );
}

/** RFC 9068 §2.1, and what providers write that do not follow it. */
const ACCESS_TOKEN_TYPES = ['jwt', 'at+jwt', 'application/at+jwt'];

/**
 * A token that is good for the editor's own client as well is good for Databricks' federation: it would open both
 * doors, so it opens none. The marks of an ID token are refused whatever its audience, and so are those of a logout
 * token (OpenID Connect Back-Channel Logout 1.0 §2.4), of Keycloak's other kinds, and of an application without a person.
 */
function expectAccessToken(claims: JWTPayload, header: JWTHeaderParameters, identity: IdentityTrust): void {
  const audiences = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
  if (identity.clientIds.some((clientId) => audiences.includes(clientId)))
    throw wrongAudience(claims, identity);
  const { scopes } = identity.claims;
  if (scopes !== undefined && scopesOf(claims).some((scope) => !scopes.includes(scope))) {
    throw wrongAudience(claims, identity);
  }
  const kind = textOf(claims['typ']);
  if (
    'nonce' in claims ||
    'at_hash' in claims ||
    'c_hash' in claims ||
    'events' in claims ||
    (kind !== undefined && kind !== 'Bearer') ||
    claims['idtyp'] === 'app' ||
    (header.typ !== undefined && !ACCESS_TOKEN_TYPES.includes(header.typ.toLowerCase()))
  ) {
    throw new TokenRefused(
      'wrong_token_kind',
      "This is not a person's access token. The control plane takes nothing else; sign in again so that the right one is sent.",
      principalOf(claims, identity),
    );
  }
}

function scopesOf(claims: JWTPayload): string[] {
  return (textOf(claims['scope']) ?? '').split(' ').filter((scope) => scope !== '');
}

function clientOf(claims: JWTPayload, { claims: { client } }: IdentityTrust): string | undefined {
  return client.map((name) => textOf(claims[name])).find((clientId) => clientId !== undefined);
}

/** Another application of the company may get tokens for OAM's audience; what a person agreed to there is not this. */
function expectOurClient(clientId: string | undefined, claims: JWTPayload, identity: IdentityTrust): void {
  if (clientId === undefined ? !identity.claims.namesClient : identity.clientIds.includes(clientId)) return;
  throw new TokenRefused(
    'wrong_client',
    "This token was issued to another application. Sign in with OAM itself, or ask your administrator to add the application to 'identity.otherClientIds'.",
    principalOf(claims, identity),
  );
}

function asRefusal(error: unknown, identity: IdentityTrust): OamError {
  if (error instanceof errors.JWTExpired) {
    return new TokenRefused(
      'session_expired',
      'Your session has expired. Sign in again.',
      principalOf(error.payload, identity),
    );
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return wrongAudience(error.payload, identity);
    return notSignedIn(principalOf(error.payload, identity));
  }
  if (isUnsigned(error)) {
    return notSignedIn();
  }
  return unavailable(error);
}

function wrongAudience(claims: JWTPayload, identity: IdentityTrust): TokenRefused {
  return new TokenRefused(
    'wrong_audience',
    'This token was issued for another service. The control plane takes the access token that was issued for it; sign in again.',
    principalOf(claims, identity),
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
