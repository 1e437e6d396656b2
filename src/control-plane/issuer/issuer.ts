import { randomUUID } from 'node:crypto';

import { type JSONWebKeySet, SignJWT } from 'jose';

import type { Logger } from '../../domain/logger.ts';
import { TOKEN_MAX_MINUTES } from '../../domain/role.ts';
import { type EpochMs, minutesToMs, toUnixSeconds } from '../../domain/time.ts';
import type { Change } from '../changes/change.ts';
import type { Store } from '../store/store.ts';
import { createKeyRing, type KeyRing } from './key-ring.ts';
import type { PublishedKey } from './key-rows.ts';
import type { RotationRules } from './key-states.ts';
import { createSeal, type SealKeys } from './seal.ts';
import { SIGNING_ALGORITHM, type SigningKey } from './signing-key.ts';
import { unsealKeys } from './unsealing.ts';

/** OAM as an OpenID Connect issuer, whose tokens a Databricks federation policy trusts. */
export interface Issuer {
  /** The `iss` of its tokens. */
  readonly url: string;
  readonly keys: KeyRing;
  /** The public keys, as `/.well-known/jwks.json` answers them. */
  jwks(): Promise<JSONWebKeySet>;
  /** The same for keys that were read. */
  jwksOf(keys: readonly PublishedKey[]): JSONWebKeySet;
  /** The metadata, as `/.well-known/openid-configuration` answers them. */
  discovery(): DiscoveryDocument;
  /** Who signs the token that is committed to in this change. */
  signer(change: Change): Promise<RoleTokenSigner>;
}

/** Signs with one key, which stays published until the token has expired. */
export interface RoleTokenSigner {
  /** A token for one grant of one role: `sub` is `grant:<id>`, `oam_role` the role's id. */
  sign(intent: RoleTokenIntent): Promise<string>;
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
  /** The store's time when the token was committed to. */
  readonly nowMs: EpochMs;
}

/** What {@link createIssuer} needs. */
export interface IssuerOptions {
  /** The control plane's public origin. */
  readonly publicUrl: string;
  /** Seal the private keys in the store. */
  readonly sealKeys: SealKeys;
  readonly rotation: RotationRules;
  readonly logger: Logger;
  /** True where an operator says that keys which cannot be unsealed are lost for good. */
  readonly keysLost?: boolean;
}

/**
 * Opens the issuer: its keys come out of the store, where the first start put one, sealed.
 *
 * @throws {OamError} `seal_key_invalid`, or `seal_broken` when a key in the store was sealed by another one.
 */
export async function createIssuer(store: Pick<Store, 'db'>, options: IssuerOptions): Promise<Issuer> {
  const { publicUrl: url, rotation: rules, logger } = options;
  const seal = createSeal(options.sealKeys);
  await unsealKeys({ store, seal, logger, lost: options.keysLost ?? false });
  const keys = createKeyRing({ db: store.db, seal, purpose: 'role-tokens', rules });
  await keys.advance();
  return {
    url,
    keys,
    jwks: async () => toJwks(await keys.published()),
    jwksOf: toJwks,
    discovery: () => ({
      issuer: url,
      jwks_uri: `${url}/.well-known/jwks.json`,
      response_types_supported: ['none'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [SIGNING_ALGORITHM],
      claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'oam_role'],
    }),
    signer: async (change) => {
      const key = await keys.signingKey(change);
      return { sign: (intent) => signRoleToken(url, key, intent) };
    },
  };
}

function toJwks(keys: readonly PublishedKey[]): JSONWebKeySet {
  return {
    keys: keys.map(({ kid, publicJwk }) => ({ ...publicJwk, kid, alg: SIGNING_ALGORITHM, use: 'sig' })),
  };
}

function signRoleToken(
  url: string,
  { kid, privateKey }: SigningKey,
  { grantId, roleId, audience, expiresAtMs, nowMs }: RoleTokenIntent,
): Promise<string> {
  const latest = nowMs + minutesToMs(TOKEN_MAX_MINUTES);
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
}
