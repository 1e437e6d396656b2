import { randomUUID } from 'node:crypto';

import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importPKCS8,
  type JSONWebKeySet,
  SignJWT,
} from 'jose';
import * as z from 'zod/mini';

import { type EpochMs, minutesToMs, toUnixSeconds } from '../../domain/time.ts';
import type { Store } from '../store/store.ts';
import { createSeal, type Seal } from './seal.ts';

const ALGORITHM = 'RS256';

const PURPOSE = 'role-tokens';

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
  const { kid, publicJwk, privateKey } = await signingKey(store, seal);
  const url = options.publicUrl;
  return {
    url,
    jwks: () => ({ keys: [{ ...publicJwk, kid, alg: ALGORITHM, use: 'sig' }] }),
    discovery: () => ({
      issuer: url,
      jwks_uri: `${url}/.well-known/jwks.json`,
      response_types_supported: ['none'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [ALGORITHM],
      claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'oam_role'],
    }),
    signRoleToken({ grantId, roleId, audience, expiresAtMs, nowMs }) {
      const latest = nowMs + minutesToMs(MAX_TOKEN_MINUTES);
      const issuedAt = toUnixSeconds(nowMs);
      const expiresAt = toUnixSeconds(Math.min(expiresAtMs, latest));
      if (expiresAt <= issuedAt)
        throw new RangeError(`A token must outlive its making: ${expiresAtMs - nowMs} ms`);
      return new SignJWT({ oam_role: roleId })
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid })
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

/** Only the public members of an RSA key: whatever else a stored value held is left behind. */
const PublicRsaJwk = z.object({ kty: z.literal('RSA'), n: z.string(), e: z.string() });

interface SigningKey {
  readonly kid: string;
  readonly publicJwk: z.infer<typeof PublicRsaJwk>;
  readonly privateKey: CryptoKey;
}

async function signingKey(store: Pick<Store, 'db'>, seal: Seal): Promise<SigningKey> {
  const row = (await storedKey(store)) ?? (await makeKey(store, seal));
  const pkcs8 = seal.open(row.sealed_private, row.kid);
  return {
    kid: row.kid,
    publicJwk: PublicRsaJwk.parse(row.public_jwk),
    privateKey: await importPKCS8(pkcs8, ALGORITHM),
  };
}

async function makeKey(store: Pick<Store, 'db'>, seal: Seal) {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, {
    modulusLength: 2048,
    extractable: true,
  });
  const jwk = PublicRsaJwk.parse(await exportJWK(publicKey));
  const kid = await calculateJwkThumbprint(jwk);
  const sealed = seal.close(await exportPKCS8(privateKey), kid);
  await store.db
    .insertInto('signing_key')
    .values({ purpose: PURPOSE, kid, public_jwk: JSON.stringify(jwk), sealed_private: sealed })
    // Of replicas that start together the first one's key is everybody's.
    .onConflict((conflict) => conflict.column('purpose').doNothing())
    .execute();
  const row = await storedKey(store);
  if (row === undefined) throw new Error('The signing key that was just stored is not there.');
  return row;
}

function storedKey(store: Pick<Store, 'db'>) {
  return store.db
    .selectFrom('signing_key')
    .select(['kid', 'public_jwk', 'sealed_private'])
    .where('purpose', '=', PURPOSE)
    .executeTakeFirst();
}
