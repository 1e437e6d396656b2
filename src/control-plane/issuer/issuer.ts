import { randomUUID } from 'node:crypto';

import { type JSONWebKeySet, SignJWT } from 'jose';

import { type EpochMs, minutesToMs, toUnixSeconds } from '../../domain/time.ts';
import type { Store } from '../store/store.ts';
import { createSeal } from './seal.ts';
import { openSigningKey, SIGNING_ALGORITHM } from './signing-key.ts';

/** No token of OAM's lives longer, whatever a caller asks for. */
const MAX_TOKEN_MINUTES = 60;

/** OAM as an OpenID Connect issuer, whose tokens a Databricks federation policy trusts. */
export interface Issuer {
  /** The `iss` of its tokens. */
  readonly url: string;
  /** The public keys, as `/.well-known/jwks.json` answers them. */
  jwks(): JSONWebKeySet;
  /** The metadata, as `/.well-known/openid-configuration` answers them. */
  discovery(): DiscoveryDocument;
  /** A token for one grant of one role: `sub` is `grant:<id>`, `oam_role` the role's id. */
  signRoleToken(intent: RoleTokenIntent): Promise<string>;
}

/** OpenID Connect Discovery 1.0, as far as it concerns an issuer that signs and does nothing else. */
export interface DiscoveryDocument {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly response_types_supported: readonly string[];
  readonly subject_types_supported: readonly string[];
  readonly id_token_signing_alg_values_supported: readonly string[];
  readonly claims_supported: readonly string[];
}

/** What a role token says. */
export interface RoleTokenIntent {
  readonly grantId: string;
  readonly roleId: string;
  /** The Databricks account's id. */
  readonly audience: string;
  /** Rounded down to whole seconds. */
  readonly expiresAtMs: EpochMs;
  /** The store's time. */
  readonly nowMs: EpochMs;
}

/** What {@link createIssuer} needs. */
export interface IssuerOptions {
  /** The control plane's public origin. */
  readonly publicUrl: string;
  /** 32 random bytes in Base64: seals the private key in the store. */
  readonly key: string;
}

/**
 * Opens the issuer: its key comes out of the store, where the first start put it, sealed.
 *
 * @throws {OamError} `seal_key_invalid`, or `seal_broken` when the store's key was sealed by another one.
 */
export async function createIssuer(store: Pick<Store, 'db'>, options: IssuerOptions): Promise<Issuer> {
  const seal = createSeal(options.key);
  const { kid, publicJwk, privateKey } = await openSigningKey(store, seal, 'role-tokens');
  const url = options.publicUrl;
  return {
    url,
    jwks: () => ({ keys: [{ ...publicJwk, kid, alg: SIGNING_ALGORITHM, use: 'sig' }] }),
    discovery: () => ({
      issuer: url,
      jwks_uri: `${url}/.well-known/jwks.json`,
      response_types_supported: ['none'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [SIGNING_ALGORITHM],
      claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'oam_role'],
    }),
    signRoleToken({ grantId, roleId, audience, expiresAtMs, nowMs }) {
      const latest = nowMs + minutesToMs(MAX_TOKEN_MINUTES);
      const issuedAt = toUnixSeconds(nowMs);
      const expiresAt = toUnixSeconds(Math.min(expiresAtMs, latest));
      if (expiresAt <= issuedAt)
        throw new RangeError(`A token must outlive its making: ${expiresAtMs - nowMs} ms`);
      return new SignJWT({ oam_role: roleId })
        .setProtectedHeader({ alg: SIGNING_ALGORITHM, typ: 'JWT', kid })
        .setIssuer(url)
        .setSubject(`grant:${grantId}`)
        .setAudience(audience)
        .setIssuedAt(issuedAt)
        .setNotBefore(issuedAt)
        .setExpirationTime(expiresAt)
        .setJti(randomUUID())
        .sign(privateKey);
    },
  };
}
