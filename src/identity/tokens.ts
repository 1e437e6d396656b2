import { randomUUID } from 'node:crypto';

import * as z from 'zod/mini';

import { OamError } from '../domain/errors.ts';
import { fromUnixSeconds, type EpochMs } from '../domain/time.ts';
import type { IdentityConfiguration } from './configuration.ts';
import type { Session } from './session.ts';

const TokenClaims = z.looseObject({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  iat: z.optional(z.number()),
  auth_time: z.optional(z.number()),
  preferred_username: z.optional(z.string()),
  email: z.optional(z.string()),
  name: z.optional(z.string()),
});

/** The claims that the identity room reads. */
export type TokenClaims = z.infer<typeof TokenClaims>;

/**
 * Reads the claims of a token **without verifying its signature**: enough for a client to know what it holds and until
 * when, never enough to let anybody in. Nothing for text that is no JWT with these claims.
 */
export function readClaims(token: string): TokenClaims | undefined {
  const [, payload] = token.split('.');
  if (payload === undefined) return undefined;
  try {
    const parsed = z.safeParse(TokenClaims, JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** How long a token lives from its issue, in milliseconds. Nothing where it does not say. */
export function lifeOf(token: string): number | undefined {
  const claims = readClaims(token);
  return claims?.iat === undefined ? undefined : fromUnixSeconds(claims.exp) - fromUnixSeconds(claims.iat);
}

/**
 * Refuses a configuration in which one token would open both doors.
 *
 * @throws {OamError} `wrong_audience`
 */
export function assertTwoAudiences(configuration: IdentityConfiguration): void {
  if (configuration.audience === configuration.clientId) {
    throw wrongAudience('the control plane names one audience for both tokens');
  }
}

/** The tokens of one answer of the token endpoint, with the ID token verified by the protocol library. */
export interface ReceivedTokens {
  readonly accessToken: string;
  readonly idToken: string;
  readonly refreshToken: string | undefined;
}

/**
 * Builds a session of received tokens, each held to its own door: the access token must be for OAM and not for the
 * client, the ID token for the client and not for OAM.
 *
 * @throws {OamError} `wrong_audience` where a token is for neither or for both; `wrong_issuer` where somebody else
 *   issued the access token; `wrong_token_kind` where the access token does not name the person.
 */
export function sessionOf(configuration: IdentityConfiguration, tokens: ReceivedTokens): Session {
  const { issuer, audience, clientId } = configuration;
  const access = readClaims(tokens.accessToken);
  const id = readClaims(tokens.idToken);
  if (!access) throw wrongAudience('the access token says nothing about its audience');
  if (!id) throw wrongAudience('the ID token says nothing about its audience');
  if (access.iss !== issuer) {
    throw new OamError(
      'wrong_issuer',
      'The access token comes from another issuer than the one you signed in at. Ask the administrator of OAM to correct the issuer.',
      { detail: `expected ${issuer}, got ${access.iss}` },
    );
  }
  assertAudience('access token', access, audience, clientId);
  assertAudience('ID token', id, clientId, audience);

  const subject = access[configuration.subjectClaim ?? 'sub'];
  if (typeof subject !== 'string' || subject === '') {
    throw new OamError(
      'wrong_token_kind',
      "The identity provider's access token does not say who you are. Ask the administrator of OAM to check the configuration of the identity provider.",
      { detail: `the claim ${configuration.subjectClaim ?? 'sub'}` },
    );
  }
  const userName = id.preferred_username ?? id.email ?? id.sub;
  const began = id.auth_time ?? id.iat;
  return {
    issuer,
    subject,
    userName,
    displayName: id.name ?? userName,
    accessToken: tokens.accessToken,
    accessTokenExpiresAtMs: expiryOf(access),
    idToken: tokens.idToken,
    idTokenExpiresAtMs: expiryOf(id),
    refreshToken: tokens.refreshToken,
    beganAtMs: began === undefined ? undefined : fromUnixSeconds(began),
    signInId: randomUUID(),
  };
}

function expiryOf(claims: TokenClaims): EpochMs {
  return fromUnixSeconds(claims.exp);
}

function assertAudience(which: string, claims: TokenClaims, wanted: string, forbidden: string): void {
  const audiences = typeof claims.aud === 'string' ? [claims.aud] : claims.aud;
  if (!audiences.includes(wanted)) {
    throw wrongAudience(`the ${which} is for ${audiences.join(', ')}, not for ${wanted}`);
  }
  if (audiences.includes(forbidden)) {
    throw wrongAudience(`the ${which} is for ${forbidden} too`);
  }
}

function wrongAudience(detail: string): OamError {
  return new OamError(
    'wrong_audience',
    'The identity provider must give OAM and Databricks tokens with different audiences. Ask its administrator to correct the registration of OAM.',
    { detail },
  );
}
