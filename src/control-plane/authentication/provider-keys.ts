import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import * as z from 'zod/mini';

import { MINUTE_MS } from '../../domain/time.ts';
import type { HttpTransport } from '../../protocol/transport.ts';

/** The two algorithms that identity providers sign with; nothing symmetric, and never `none`. */
export const SIGNATURE_ALGORITHMS = ['RS256', 'ES256'] as const;

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** Whose keys are read, and how. */
export interface ProviderKeysOptions {
  readonly issuer: string;
  /** Where the keys are, for an issuer that has no discovery document. */
  readonly jwksUri?: string | undefined;
  readonly transport: HttpTransport;
}

/** The published keys of an issuer: read when the first token comes, kept for an hour, and read anew for a new key. */
export function createProviderKeys(options: ProviderKeysOptions): () => Promise<JWTVerifyGetKey> {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  return async () => {
    keys ??= findKeys(options);
    try {
      return await keys;
    } catch (error) {
      keys = undefined;
      throw error;
    }
  };
}

async function findKeys({ issuer, jwksUri, transport }: ProviderKeysOptions): Promise<JWTVerifyGetKey> {
  const uri = jwksUri ?? (await discover(issuer, transport));
  return createRemoteJWKSet(new URL(uri), { cacheMaxAge: 60 * MINUTE_MS });
}

async function discover(issuer: string, transport: HttpTransport): Promise<string> {
  const base = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer;
  const answer = await transport({ method: 'GET', url: `${base}/.well-known/openid-configuration` });
  if (answer.status !== 200) throw new Error(`the discovery document: status ${answer.status}`);
  const document = Discovery.parse(JSON.parse(answer.text));
  if (document.issuer !== issuer) throw new Error(`the discovery document names ${document.issuer}`);
  return document.jwks_uri;
}

/** True where a token is not signed by one of its issuer's keys, in a way that is taken: nothing in it may be believed. */
export function isUnsigned(error: unknown): boolean {
  return (
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey
  );
}
