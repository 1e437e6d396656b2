import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import * as z from 'zod/mini';

import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
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
  /** How long keys are used before they are read anew: a key that the issuer withdrew is believed no longer than this. */
  readonly freshMs?: number;
  /** How long the last keys go on while the issuer cannot be asked. */
  readonly outageMs?: number;
  /** How long it is not asked again after it could not be, while the last keys do. */
  readonly pauseMs?: number;
  /** How long it is not asked for a key that is not known after it was last read: forgers must not make us ask. */
  readonly unknownKeyMs?: number;
}

const FRESH_MS = 10 * MINUTE_MS;

/** Long enough for an issuer's bad afternoon; and a withdrawn key is not believed longer because somebody blocks the way. */
const OUTAGE_MS = 4 * HOUR_MS;

const PAUSE_MS = 10 * SECOND_MS;

const UNKNOWN_KEY_MS = 5 * SECOND_MS;

const READ_TIMEOUT_MS = 5 * SECOND_MS;

type LocalJWKSet = ReturnType<typeof createLocalJWKSet>;

const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/**
 * The published keys of an issuer: read when the first token comes, again every ten minutes, and at once for a key that is
 * not known. While the issuer is away those that were read last go on, within a bound; a key that is not among them is
 * neither good nor bad then.
 */
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

async function findKeys(options: ProviderKeysOptions): Promise<JWTVerifyGetKey> {
  const { unknownKeyMs = UNKNOWN_KEY_MS } = options;
  const {
    issuer,
    jwksUri,
    transport,
    freshMs = FRESH_MS,
    outageMs = OUTAGE_MS,
    pauseMs = PAUSE_MS,
  } = options;
  const uri = jwksUri ?? (await discover(issuer, transport));
  let last: { readonly keys: LocalJWKSet; readonly atMs: number } | undefined;
  const remote = createRemoteJWKSet(new URL(uri), {
    cacheMaxAge: freshMs,
    cooldownDuration: unknownKeyMs,
    [customFetch]: async (url) => {
      const { status, text } = await transport({ method: 'GET', url, timeoutMs: READ_TIMEOUT_MS });
      if (status === 200) {
        last = { keys: createLocalJWKSet(KeySet.parse(JSON.parse(text))), atMs: performance.now() };
      }
      return new Response(text, { status });
    },
  });
  let failedAtMs = -Infinity;

  return async (header, token) => {
    const nowMs = performance.now();
    const kept = last !== undefined && nowMs - last.atMs < outageMs ? last.keys : undefined;
    // An issuer that hangs must not make everybody wait for it, call after call.
    if (kept !== undefined && nowMs - failedAtMs < pauseMs) {
      const key = await kept(header, token).catch(() => undefined);
      if (key !== undefined) return key;
    }
    try {
      return await remote(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
        throw error;
      }
      failedAtMs = performance.now();
      // A key that is not among the last ones may have been published while nobody could ask: that is not a forgery.
      const key = await kept?.(header, token).catch(() => undefined);
      if (key === undefined) throw error;
      return key;
    }
  };
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
