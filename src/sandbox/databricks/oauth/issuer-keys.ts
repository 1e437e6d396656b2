import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import * as z from 'zod/mini';

import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS } from '../../../domain/time.ts';
import { oauthFailure } from '../http/failures.ts';

/** Where a federation policy finds the keys that it trusts. */
export type PolicyKeys =
  /** At the issuer: its metadata names the address. */
  | { readonly kind: 'discovery' }
  | { readonly kind: 'uri'; readonly uri: string }
  /** In the policy itself: a copy, which nobody fetches anew. */
  | { readonly kind: 'json'; readonly jwks: JSONWebKeySet };

interface Copy {
  readonly keys: JWTVerifyGetKey;
  readonly fetchedAtMs: EpochMs;
}

const FETCH_TIMEOUT_MS = 5 * SECOND_MS;

/** A copy of this age is fetched anew before it is used. */
const MAX_AGE_MS = 10 * MINUTE_MS;

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });

const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** The JWKS that a text holds, or undefined. */
export function parseJwks(text: string): JSONWebKeySet | undefined {
  try {
    return Jwks.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The keys of issuers, in copies that are kept for a while as Databricks keeps them. */
export class IssuerKeys {
  readonly #clock: Clock;
  readonly #addresses = new Map<string, string>();
  readonly #copies = new Map<string, Copy>();
  /** For so long a copy is not fetched anew, even for a key that it does not hold, in milliseconds. */
  keepMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The keys that a policy trusts. Throws OAuth's `invalid_grant` where they cannot be had. */
  async of(issuer: string, policyKeys: PolicyKeys): Promise<JWTVerifyGetKey> {
    if (policyKeys.kind === 'json') return createLocalJWKSet(policyKeys.jwks);
    const uri = policyKeys.kind === 'uri' ? policyKeys.uri : await this.#discover(issuer);
    const copy = this.#copies.get(uri);
    const maxAgeMs = Math.max(MAX_AGE_MS, this.keepMs);
    return copy !== undefined && this.#ageMs(copy) < maxAgeMs ? copy.keys : this.#fetch(uri);
  }

  /** The keys anew, for a token that those in hand do not verify; undefined where the copy must still do. */
  async anew(issuer: string, policyKeys: PolicyKeys): Promise<JWTVerifyGetKey | undefined> {
    if (policyKeys.kind === 'json') return undefined;
    const uri = policyKeys.kind === 'uri' ? policyKeys.uri : await this.#discover(issuer);
    const copy = this.#copies.get(uri);
    return copy !== undefined && this.#ageMs(copy) < this.keepMs ? undefined : this.#fetch(uri);
  }

  #ageMs(copy: Copy): number {
    return this.#clock.nowMs() - copy.fetchedAtMs;
  }

  async #discover(issuer: string): Promise<string> {
    const known = this.#addresses.get(issuer);
    if (known !== undefined) return known;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const discovery = Discovery.safeParse(await fetchJson(url));
    if (!discovery.success) throw unreachable();
    if (discovery.data.issuer !== issuer) {
      throw oauthFailure(
        'invalid_grant',
        'Subject token was not accepted: its issuer publishes another name for itself.',
      );
    }
    this.#addresses.set(issuer, discovery.data.jwks_uri);
    return discovery.data.jwks_uri;
  }

  async #fetch(uri: string): Promise<JWTVerifyGetKey> {
    const jwks = Jwks.safeParse(await fetchJson(uri));
    if (!jwks.success) throw unreachable();
    const keys = createLocalJWKSet(jwks.data);
    this.#copies.set(uri, { keys, fetchedAtMs: this.#clock.nowMs() });
    return keys;
  }
}

async function fetchJson(url: string): Promise<unknown> {
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    return await answer.json();
  } catch {
    throw unreachable();
  }
}

function unreachable(): Error {
  return oauthFailure(
    'invalid_grant',
    'Subject token was not accepted: the keys of its issuer could not be fetched.',
  );
}
