import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import * as z from 'zod/mini';

import { type AccountStores, databricksKey } from './account-stores.ts';
import type { RefreshLock } from './refresh-lock.ts';
import type { SessionStore } from './session.ts';

/** A place for secrets, each by its name: VS Code's secret storage, or a keychain. */
export interface Secrets {
  get(key: string): PromiseLike<string | undefined>;
  store(key: string, value: string): PromiseLike<void>;
  delete(key: string): PromiseLike<void>;
}

/** What {@link sealedSessionStore} needs. */
export interface SealedSessionOptions extends SealingKeyOptions {
  /** A folder that all who share the sessions share. */
  readonly folder: string;
  /** Names what is kept: a control plane, an identity provider and a client. */
  readonly key: string;
}

/** Where the sealing key lies. */
export interface SealingKeyOptions {
  readonly secrets: Secrets;
  /** Names the sealing key: one for the machine, so that it is there before anybody knows where to sign in. */
  readonly machine: string;
  /** Lets one process make the key at a time, where several see the same secrets. */
  readonly making?: RefreshLock;
}

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;

const Sealed = z.object({ nonce: z.string(), tag: z.string(), text: z.string() });

/**
 * Keeps a session sealed in a file, and the key among secrets.
 *
 * In a browser each page reads the secrets once, when it is loaded, and hears of no change by another page. A refresh
 * token that rotates is good for one use: the second page would use the first one's old token, and the identity
 * provider would end the session for both. The key never changes, so every page has it; the session, which does, lies
 * where all of them see it. Another browser has another key, hence another file and a session of its own.
 *
 * A keychain of the operating system is used in the same way: Windows takes no more than 2 560 bytes for a secret, which
 * a session with three tokens exceeds; no keychain tells other programs of a change, while a folder does; and macOS asks
 * the person for each program and secret, so there is one that stays and not one that changes every few minutes.
 */
export function sealedSessionStore(options: SealedSessionOptions): SessionStore {
  const { folder, key } = options;
  const fileOf = (sealingKey: Buffer): string =>
    path.join(folder, `${digest(Buffer.from(key))}-${digest(sealingKey)}`);

  return {
    async read() {
      const sealingKey = await ensureSealingKey(options);
      const text = await readIfThere(fileOf(sealingKey));
      return text === undefined ? undefined : unseal(text, sealingKey);
    },
    async write(value) {
      const sealingKey = await ensureSealingKey(options);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = fileOf(sealingKey);
      const scratch = `${file}.${randomBytes(6).toString('hex')}`;
      try {
        await writeFile(scratch, seal(value, sealingKey), { mode: 0o600 });
        await rename(scratch, file);
      } catch (error) {
        await rm(scratch, { force: true });
        throw error;
      }
    },
    async clear() {
      const sealingKey = await presentSealingKey(options);
      if (sealingKey !== undefined) await rm(fileOf(sealingKey), { force: true });
    },
  };
}

/** Keeps accounts in files, each session by itself, all of them sealed with one key. */
export function sealedAccountStores(options: SealedSessionOptions): AccountStores {
  const sealed = (key: string): SessionStore =>
    sealedSessionStore({ ...options, key: `${options.key}:${key}` });
  return {
    list: sealedSessionStore(options),
    session: sealed,
    databricks: (account) => sealed(databricksKey(account)),
  };
}

/**
 * The key that this browser, or this machine, seals with. Made at the start of a page, long before a sign-in, so that
 * pages that are opened meanwhile have it too.
 */
export async function ensureSealingKey(options: SealingKeyOptions): Promise<Buffer> {
  const present = await presentSealingKey(options);
  if (present !== undefined) return present;
  const make = async (): Promise<Buffer> => {
    const others = await presentSealingKey(options);
    if (others !== undefined) return others;
    const made = randomBytes(KEY_BYTES);
    await options.secrets.store(secretName(options), made.toString('base64url'));
    return made;
  };
  return options.making === undefined ? make() : options.making.withLock(make);
}

async function presentSealingKey(options: SealingKeyOptions): Promise<Buffer | undefined> {
  const bytes = Buffer.from((await options.secrets.get(secretName(options))) ?? '', 'base64url');
  return bytes.length === KEY_BYTES ? bytes : undefined;
}

function secretName({ machine }: SealingKeyOptions): string {
  return `seal:${machine}`;
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

function seal(text: string, key: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const parts: z.infer<typeof Sealed> = {
    nonce: nonce.toString('base64url'),
    tag: cipher.getAuthTag().toString('base64url'),
    text: sealed.toString('base64url'),
  };
  return JSON.stringify(parts);
}

/** What is not sealed with this key is nothing, whoever put it there. */
function unseal(sealed: string, key: Buffer): string | undefined {
  try {
    const { nonce, tag, text } = Sealed.parse(JSON.parse(sealed));
    const decipher = createDecipheriv(ALGORITHM, key, Buffer.from(nonce, 'base64url'), { authTagLength: 16 });
    decipher.setAuthTag(Buffer.from(tag, 'base64url'));
    return Buffer.concat([decipher.update(Buffer.from(text, 'base64url')), decipher.final()]).toString(
      'utf8',
    );
  } catch {
    return undefined;
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
