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

/** What a key is for. Each purpose has a key of its own, so that no signature can be taken for another kind. */
export type KeyPurpose = 'role-tokens' | 'audit-anchors';

/** Only the public members of an RSA key: whatever else a stored value held is left behind. */
const PublicRsaJwk = z.object({ kty: z.literal('RSA'), n: z.string(), e: z.string() });

/** A key of OAM's own. The private half is here in clear and sealed in the store. */
export interface SigningKey {
  readonly kid: string;
  readonly publicJwk: z.infer<typeof PublicRsaJwk>;
  readonly privateKey: CryptoKey;
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
  const row = (await storedKey(store, purpose)) ?? (await makeKey(store, seal, purpose));
  const pkcs8 = seal.open(row.sealed_private, row.kid);
  return {
    kid: row.kid,
    publicJwk: PublicRsaJwk.parse(row.public_jwk),
    privateKey: await importPKCS8(pkcs8, SIGNING_ALGORITHM),
  };
}

async function makeKey(store: Pick<Store, 'db'>, seal: Seal, purpose: KeyPurpose) {
  const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALGORITHM, {
    modulusLength: 2048,
    extractable: true,
  });
  const jwk = PublicRsaJwk.parse(await exportJWK(publicKey));
  const kid = await calculateJwkThumbprint(jwk);
  const sealed = seal.close(await exportPKCS8(privateKey), kid);
  await store.db
    .insertInto('signing_key')
    .values({ purpose, kid, public_jwk: JSON.stringify(jwk), sealed_private: sealed })
    // Of replicas that start together the first one's key is everybody's.
    .onConflict((conflict) => conflict.column('purpose').doNothing())
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
    .executeTakeFirst();
}
