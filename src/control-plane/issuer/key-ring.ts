import type { CryptoKey } from 'jose';
import type { Kysely } from 'kysely';

import { TOKEN_MAX_MINUTES } from '../../domain/role.ts';
import { minutesToMs } from '../../domain/time.ts';
import { type Actor, recordAudit } from '../audit/record.ts';
import { type Change, inChange, storeNowMs } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';
import {
  activateKey,
  deleteKey,
  insertKey,
  lockKeys,
  type PublishedKey,
  publishedKeys,
  retireKey,
} from './key-rows.ts';
import { dueStep, type RotationRules, type RotationStep } from './key-states.ts';
import type { Seal } from './seal.ts';
import {
  type KeyPurpose,
  makeSealedKey,
  openPrivateKey,
  parsePublicJwk,
  type SealedKey,
  type SigningKey,
} from './signing-key.ts';

/** What {@link createKeyRing} needs. */
export interface KeyRingParts {
  readonly db: Kysely<Database>;
  readonly seal: Seal;
  readonly purpose: KeyPurpose;
  readonly rules: RotationRules;
}

/** Who changes the ring, and why. Absent where age alone does. */
export interface RotationOrder {
  readonly actor: Actor;
  readonly reason: string;
  /** The version of the policy that was asked. */
  readonly policyVersion: string;
}

/** The keys of one purpose, shared by all replicas through the store. */
export interface KeyRing {
  readonly rules: RotationRules;
  /** All public keys: the one that signs, the next one, and retired ones whose tokens may still live. */
  published(within?: Kysely<Database>): Promise<PublishedKey[]>;
  /**
   * The key that signs. It stays so until the change ends: what the change says of a token is committed before
   * anybody can retire the token's key.
   *
   * @throws {OamError} `seal_broken`.
   */
  signingKey(change: Change): Promise<SigningKey>;
  /**
   * Does what is due by the clock, one change after the other, and takes the keys that sign now or next into memory: a
   * replica goes on while the others are started anew with another `OAM_KEY`.
   *
   * @throws {OamError} `seal_broken`.
   */
  advance(): Promise<void>;
  /** Makes a key for {@link beginRotation} or {@link replaceAll}, which takes longer than a change should. */
  makeKey(): Promise<SealedKey>;
  /** Publishes a key that will sign once verifiers know it. False where one is waiting already. */
  beginRotation(change: Change, key: SealedKey, order: RotationOrder): Promise<boolean>;
  /** The next key signs from now on: everybody who verifies has it. False where none is waiting. */
  completeRotation(change: Change, order: RotationOrder): Promise<boolean>;
  /** Strangers may have the keys: they are published no more, whatever they have signed, and a new one signs. */
  replaceAll(change: Change, key: SealedKey, order: RotationOrder): Promise<void>;
}

/** A retired key stays published as long as the longest token can live that it has signed. */
const KEEP_RETIRED_MS = minutesToMs(TOKEN_MAX_MINUTES);

/** A reader that waited for a rotation finds the key of before it retired, and reads once more. */
const READS = 3;

/** Opens the ring. Nothing is made or changed yet. */
export function createKeyRing({ db, seal, purpose, rules }: KeyRingParts): KeyRing {
  const opened = new Map<string, CryptoKey>();

  const record = (
    change: Change,
    event: 'published' | 'activated' | 'retired' | 'removed',
    kid: string,
    order: RotationOrder | undefined,
  ) =>
    recordAudit(change, {
      event: `signing_key.${event}`,
      actor: order?.actor,
      detail: {
        kid,
        purpose,
        ...(order !== undefined && { reason: order.reason, policyVersion: order.policyVersion }),
      },
    });

  const activate = async (
    change: Change,
    keys: readonly PublishedKey[],
    kid: string,
    order?: RotationOrder,
  ): Promise<void> => {
    const current = keys.find((key) => key.state === 'current');
    if (current !== undefined) {
      await retireKey(change, current.kid, change.nowMs + KEEP_RETIRED_MS);
      await record(change, 'retired', current.kid, order);
    }
    await activateKey(change, kid);
    await record(change, 'activated', kid, order);
  };

  const publish = async (
    change: Change,
    state: 'next' | 'current',
    key: SealedKey,
    order?: RotationOrder,
  ): Promise<void> => {
    await insertKey(change, purpose, state, key);
    await record(change, 'published', key.kid, order);
    if (state === 'current') await record(change, 'activated', key.kid, order);
  };

  const take = async (change: Change, step: RotationStep, made: SealedKey | undefined): Promise<void> => {
    switch (step.kind) {
      case 'make':
        if (made !== undefined) await publish(change, step.state, made);
        return;
      case 'activate':
        await activate(change, await publishedKeys(change.trx, purpose), step.kid);
        return;
      case 'remove':
        await deleteKey(change, step.kid);
        await record(change, 'removed', step.kid, undefined);
    }
  };

  const open = async (kid: string, sealedPrivate: Buffer): Promise<CryptoKey> => {
    const privateKey = opened.get(kid) ?? (await openPrivateKey(seal, kid, sealedPrivate));
    opened.set(kid, privateKey);
    return privateKey;
  };

  /** Keeps in memory the private halves that the store keeps, and no others. */
  const holdKeys = async (): Promise<void> => {
    const rows = await db
      .selectFrom('signing_key')
      .select(['kid', 'sealed_private'])
      .where('purpose', '=', purpose)
      .where('sealed_private', 'is not', null)
      .$narrowType<{ sealed_private: Buffer }>()
      .execute();
    const kids = new Set(rows.map(({ kid }) => kid));
    for (const kid of opened.keys()) if (!kids.has(kid)) opened.delete(kid);
    for (const row of rows) await open(row.kid, row.sealed_private);
  };

  /** Takes the step that is due; false where none is. */
  const stepOn = async (): Promise<boolean> => {
    const step = dueStep(await publishedKeys(db, purpose), rules, await storeNowMs(db));
    if (step === undefined) return false;
    const made = step.kind === 'make' ? await makeSealedKey(seal) : undefined;
    await inChange(db, async (change) => {
      // Another replica may have been faster.
      const still = dueStep(await lockKeys(change, purpose), rules, change.nowMs);
      if (still !== undefined && same(still, step)) await take(change, still, made);
    });
    return true;
  };

  return {
    rules,

    published: (within = db) => publishedKeys(within, purpose),

    async signingKey(change) {
      for (let reads = 1; reads <= READS; reads += 1) {
        const row = await change.trx
          .selectFrom('signing_key')
          .select(['kid', 'public_jwk', 'sealed_private'])
          .where('purpose', '=', purpose)
          .where('state', '=', 'current')
          .$narrowType<{ sealed_private: Buffer }>()
          .forKeyShare()
          .executeTakeFirst();
        if (row === undefined) continue;
        const privateKey = await open(row.kid, row.sealed_private);
        return { kid: row.kid, publicJwk: parsePublicJwk(row.public_jwk), privateKey };
      }
      throw new Error(`There is no key that signs: ${purpose}`);
    },

    async advance() {
      while (await stepOn());
      await holdKeys();
    },

    makeKey: () => makeSealedKey(seal),

    async beginRotation(change, key, order) {
      const keys = await lockKeys(change, purpose);
      if (keys.some(({ state }) => state === 'next')) return false;
      await publish(change, 'next', key, order);
      return true;
    },

    async completeRotation(change, order) {
      const keys = await lockKeys(change, purpose);
      const next = keys.find(({ state }) => state === 'next');
      if (next === undefined) return false;
      await activate(change, keys, next.kid, order);
      return true;
    },

    async replaceAll(change, key, order) {
      for (const { kid } of await lockKeys(change, purpose)) {
        await deleteKey(change, kid);
        await record(change, 'removed', kid, order);
      }
      await publish(change, 'current', key, order);
    },
  };
}

function same(a: RotationStep, b: RotationStep): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
