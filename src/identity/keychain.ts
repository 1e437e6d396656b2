import { type FSWatcher, watch } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import path from 'node:path';

import { SECOND_MS } from '../domain/time.ts';
import { partiesKey } from './account-list.ts';
import type { AccountStores } from './account-stores.ts';
import type { IdentityConfiguration } from './configuration.ts';
import { type LastUse, lastUseIn } from './last-use.ts';
import { fileRefreshLock, type RefreshLock } from './refresh-lock.ts';
import { ensureSealingKey, sealedAccountStores, type Secrets } from './sealed-session-store.ts';

/** The part of a keychain that is needed. */
export interface Keychain {
  getPassword(service: string, account: string): Promise<string | null>;
  setPassword(service: string, account: string, password: string): Promise<void>;
  deletePassword(service: string, account: string): Promise<boolean>;
}

/** The sessions of a person on this machine, for every program that can open their keychain. */
export interface KeychainSessions {
  /** The accounts at a control plane and an identity provider. */
  stores(
    controlPlaneUrl: string,
    identity: Pick<IdentityConfiguration, 'issuer' | 'clientId' | 'audience'>,
  ): AccountStores;
  readonly lastUse: LastUse;
}

const SERVICE = 'databricks-ml-oam';

/** Names the secret: `seal:this-machine`. */
const MACHINE = 'this-machine';

/**
 * Opens the sessions that the keychain of the operating system guards: the key lies there and nowhere else, what it
 * seals lies in the user's folder. Nothing where there is no keychain, or none that lets itself be read and written:
 * many machines have none (containers, servers), and that is no error.
 *
 * @param folder the user's, as {@link stateFolder} names it.
 * @param load how the native module is had; from npm's `keytar` unless given.
 */
export async function openKeychainSessions(
  folder: string,
  load: () => Promise<Keychain> = loadKeytar,
): Promise<KeychainSessions | undefined> {
  const sealed = sealedFolder(folder);
  try {
    await mkdir(sealed, { recursive: true, mode: 0o700 });
    await access(sealed, constants.W_OK);
    const secrets = secretsOf(await load());
    const making = fileRefreshLock(path.join(folder, 'key'));
    // The module may load and still have nobody to talk to, or nowhere to write: the key tells.
    await ensureSealingKey({ secrets, machine: MACHINE, making });
    return {
      stores: (controlPlaneUrl, identity) =>
        sealedAccountStores({
          ...{ folder: sealed, secrets, machine: MACHINE, making },
          key: partiesKey(controlPlaneUrl, identity),
        }),
      lastUse: lastUseIn(folder),
    };
  } catch {
    return undefined;
  }
}

/** The one lock of an account, or of the list of accounts, for all who share the sessions. */
export function keychainLock(folder: string, account = ''): RefreshLock {
  return fileRefreshLock(path.join(folder, 'session', account));
}

/**
 * Tells of every change of the sessions, by whichever program. Does not keep a process alive. Where the system gives no
 * watch (Linux has 128 for each user), or takes it away, whoever listens is told to look again and again.
 *
 * @param everyMs between two such looks, in milliseconds; ten seconds unless given.
 */
export function watchKeychainSessions(
  folder: string,
  onChange: () => void,
  everyMs = 10 * SECOND_MS,
): Disposable {
  let watcher: FSWatcher | undefined;
  let looking: NodeJS.Timeout | undefined;
  const lookInstead = (): void => {
    looking ??= setInterval(onChange, everyMs).unref();
  };
  try {
    watcher = watch(sealedFolder(folder), { persistent: false }, onChange);
    watcher.on('error', lookInstead);
  } catch {
    lookInstead();
  }
  return {
    [Symbol.dispose]: () => {
      watcher?.close();
      clearInterval(looking);
    },
  };
}

function sealedFolder(folder: string): string {
  return path.join(folder, 'sealed');
}

function secretsOf(keychain: Keychain): Secrets {
  return {
    get: async (name) => (await keychain.getPassword(SERVICE, name)) ?? undefined,
    store: (name, value) => keychain.setPassword(SERVICE, name, value),
    async delete(name) {
      await keychain.deletePassword(SERVICE, name);
    },
  };
}

/** On demand, because it is native code. */
async function loadKeytar(): Promise<Keychain> {
  const { default: keytar } = await import('keytar');
  return keytar;
}
