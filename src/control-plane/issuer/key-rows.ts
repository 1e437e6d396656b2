import { type Kysely, type Selectable, sql } from 'kysely';

import { type Change, toDate, toMs } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';
import type { SigningKeyTable } from '../store/credential-tables.ts';
import type { KeyState, RingKey } from './key-states.ts';
import { type KeyPurpose, parsePublicJwk, type PublicRsaJwk, type SealedKey } from './signing-key.ts';

/** A key of the ring with its public half. */
export type PublishedKey = RingKey & { readonly publicJwk: PublicRsaJwk };

/** The keys of a purpose, all of which are published: the one that signs first, then the next, then the retired ones. */
export async function publishedKeys(db: Kysely<Database>, purpose: KeyPurpose): Promise<PublishedKey[]> {
  const rows = await db
    .selectFrom('signing_key')
    .selectAll()
    .where('purpose', '=', purpose)
    .orderBy('created_at', 'desc')
    .orderBy('kid')
    .execute();
  return rows.map(fromRow).sort((a, b) => RANK[a.state] - RANK[b.state]);
}

/**
 * As {@link publishedKeys}, and keeps others from changing the ring, and anybody from beginning to sign, until the
 * change ends.
 */
export async function lockKeys(change: Change, purpose: KeyPurpose): Promise<PublishedKey[]> {
  // Rows that another replica is about to add cannot be locked one by one.
  await sql`lock table oam.signing_key in share row exclusive mode`.execute(change.trx);
  await change.trx
    .selectFrom('signing_key')
    .select('kid')
    .where('purpose', '=', purpose)
    .orderBy('kid')
    .forUpdate()
    .execute();
  return publishedKeys(change.trx, purpose);
}

/** Publishes a key. */
export async function insertKey(
  change: Change,
  purpose: KeyPurpose,
  state: Exclude<KeyState, 'retired'>,
  key: SealedKey,
): Promise<void> {
  await change.trx
    .insertInto('signing_key')
    .values({
      purpose,
      kid: key.kid,
      public_jwk: JSON.stringify(key.publicJwk),
      sealed_private: key.sealedPrivate,
      state,
      created_at: toDate(change.nowMs),
      activated_at: state === 'current' ? toDate(change.nowMs) : null,
      retired_at: null,
      published_until: null,
    })
    .execute();
}

/** A key begins to sign. */
export async function activateKey(change: Change, kid: string): Promise<void> {
  await change.trx
    .updateTable('signing_key')
    .set({ state: 'current', activated_at: toDate(change.nowMs) })
    .where('kid', '=', kid)
    .where('state', '=', 'next')
    .execute();
}

/** A key signs no more: its private half is forgotten, and its public half stays for what it has signed. */
export async function retireKey(change: Change, kid: string, publishedUntilMs: number): Promise<void> {
  await change.trx
    .updateTable('signing_key')
    .set({
      state: 'retired',
      sealed_private: null,
      retired_at: toDate(change.nowMs),
      published_until: toDate(publishedUntilMs),
    })
    .where('kid', '=', kid)
    .execute();
}

/** A key is published no more. */
export async function deleteKey(change: Change, kid: string): Promise<void> {
  await change.trx.deleteFrom('signing_key').where('kid', '=', kid).execute();
}

const RANK: Readonly<Record<KeyState, number>> = { current: 0, next: 1, retired: 2 };

function fromRow(row: Selectable<SigningKeyTable>): PublishedKey {
  const key = {
    kid: row.kid,
    publishedAtMs: toMs(row.created_at),
    publicJwk: parsePublicJwk(row.public_jwk),
  };
  switch (row.state) {
    case 'next':
      return { ...key, state: 'next' };
    case 'current':
      return { ...key, state: 'current', activatedAtMs: toMs(row.activated_at) ?? key.publishedAtMs };
    case 'retired':
      return {
        ...key,
        state: 'retired',
        retiredAtMs: toMs(row.retired_at) ?? key.publishedAtMs,
        publishedUntilMs: toMs(row.published_until) ?? key.publishedAtMs,
      };
  }
}
