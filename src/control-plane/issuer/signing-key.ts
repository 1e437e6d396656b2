import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importPKCS8,
} from 'jose';
import * as z from 'zod/mini';

import type { Store } from '../store/store.ts';
import type { Seal } from './seal.ts';

/** What OAM's keys sign with. */
export const SIGNING_ALGORITHM = 'RS256';

/** What a key is for. Each purpose has keys of its own, so that no signature can be taken for another kind. */
export type KeyPurpose = 'role-tokens' | 'audit-anchors';

/** Only the public members of an RSA key: whatever else a stored value held is left behind. */
const PublicRsaJwk = z.object({ kty: z.literal('RSA'), n: z.string(), e: z.string() });

/** The public half of a key. */
export type PublicRsaJwk = z.infer<typeof PublicRsaJwk>;

/** A key of OAM's own. The private half is here in clear and sealed in the store. */
export interface SigningKey {
  readonly kid: string;
  readonly publicJwk: PublicRsaJwk;
  readonly privateKey: CryptoKey;
}

/** A key as it goes into the store. */
export interface SealedKey {
  readonly kid: string;
  readonly publicJwk: PublicRsaJwk;
  readonly sealedPrivate: Buffer;
}

/** Makes a key that nobody knows yet. */
export async function makeSealedKey(seal: Seal): Promise<SealedKey> {
  const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALGORITHM, {
    modulusLength: 2048,
    extractable: true,
  });
  const publicJwk = PublicRsaJwk.parse(await exportJWK(publicKey));
  const kid = await calculateJwkThumbprint(publicJwk);
  return { kid, publicJwk, sealedPrivate: seal.close(await exportPKCS8(privateKey), kid) };
}

/** The public half of a key as the store holds it. */
export function parsePublicJwk(stored: unknown): PublicRsaJwk {
  return PublicRsaJwk.parse(stored);
}

/** The private half of a stored key. @throws {OamError} `seal_broken`. */
export async function openPrivateKey(seal: Seal, kid: string, sealedPrivate: Buffer): Promise<CryptoKey> {
  return importPKCS8(seal.open(sealedPrivate, kid).secret, SIGNING_ALGORITHM);
}

/**
 * Opens the key that serves a purpose: it comes out of the store, where the first start put it, sealed.
 *
 * @throws {OamError} `seal_broken` when it was sealed by another key than this one.
 */
export async function openSigningKey(
  store: Pick<Store, 'db'>,
  seal: Seal,
  purpose: KeyPurpose,
): Promise<SigningKey> {
  const row = (await storedKey(store, purpose)) ?? (await storeFirstKey(store, seal, purpose));
  return {
    kid: row.kid,
    publicJwk: parsePublicJwk(row.public_jwk),
    privateKey: await openPrivateKey(seal, row.kid, row.sealed_private),
  };
}

async function storeFirstKey(store: Pick<Store, 'db'>, seal: Seal, purpose: KeyPurpose) {
  const { kid, publicJwk, sealedPrivate } = await makeSealedKey(seal);
  await store.db
    .insertInto('signing_key')
    .values((eb) => ({
      purpose,
      kid,
      public_jwk: JSON.stringify(publicJwk),
      sealed_private: sealedPrivate,
      state: 'current',
      activated_at: eb.fn<Date>('oam.now'),
      retired_at: null,
      published_until: null,
    }))
    // Of replicas that start together the first one's key is everybody's.
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await storedKey(store, purpose);
  if (row === undefined) throw new Error('The signing key that was just stored is not there.');
  return row;
}

function storedKey(store: Pick<Store, 'db'>, purpose: KeyPurpose) {
  return store.db
    .selectFrom('signing_key')
    .select(['kid', 'public_jwk', 'sealed_private'])
    .where('purpose', '=', purpose)
    .where('state', '=', 'current')
    .$narrowType<{ sealed_private: Buffer }>()
    .executeTakeFirst();
}
