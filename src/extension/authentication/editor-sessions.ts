import {
  type AccountStores,
  keychainLock,
  type KeychainSessions,
  type LastUse,
  memoryAccountStores,
  moveAccounts,
  openedAccountStores,
  openKeychainSessions,
  partiesKey,
  type RefreshLock,
  watchKeychainSessions,
} from '../../identity/index.ts';
import { Changes, type Stoppable } from '../changes.ts';
import type { PinnedTrust } from '../connection/pinned-trust.ts';

/** By VS Code, in the keychain, or by nobody: then they end with the window. */
export type SessionPlace = 'editor' | 'keychain' | 'window';

/** Where the sessions of this machine are kept, seen by all of its windows. */
export interface EditorSessions extends Stoppable {
  /** The accounts at a control plane and an identity provider. */
  readonly stores: (url: string, identity: PinnedTrust['identity']) => AccountStores;
  /** The lock of one account, or of the list of accounts. */
  readonly lock: (account?: string) => RefreshLock;
  readonly lastUse: LastUse;
  readonly place: SessionPlace;
  /** A session may have been changed, here, in another window or by another program. */
  readonly onDidChange: (listener: () => void) => Stoppable;
}

/** Sessions that the person may share with `oam`. */
export interface SharedSessions extends EditorSessions {
  /**
   * Looks for the keychain again, which may have been locked: true where it can be used now. Who is signed in to this
   * window moves there with the next start of the connection.
   */
  readonly lookAgain: () => Promise<boolean>;
}

/** What {@link editorSessions} needs. */
export interface EditorSessionsOptions {
  /** VS Code's own places. */
  readonly own: EditorSessions;
  /** The setting's present value: the keychain, which `oam` uses too, instead of VS Code's own places. */
  readonly usesKeychain: () => boolean;
  /** Where what the keychain guards lies. */
  readonly keychainFolder: string;
  readonly openKeychain?: (folder: string) => Promise<KeychainSessions | undefined>;
  /** The setting is on, and there is no keychain: sessions end with this window. */
  readonly onNoKeychain: () => void;
}

/**
 * The sessions of a window of VS Code: in its own places, and where the person shares them with `oam`, in the keychain
 * and nowhere else. What lay in the own places moves there when it is switched on.
 */
export function editorSessions(options: EditorSessionsOptions): SharedSessions {
  const { own, usesKeychain, keychainFolder, openKeychain = openKeychainSessions } = options;
  const changes = new Changes<void>();
  const watches: Stoppable[] = [own.onDidChange(() => changes.fire())];
  /** What nothing keeps, by whom it is for: it outlives a new start of the connection. */
  const unkept = new Map<string, AccountStores>();
  let opening: Promise<KeychainSessions | undefined> | undefined;
  let opened: KeychainSessions | undefined;

  const open = async (): Promise<KeychainSessions | undefined> => {
    opened = await openKeychain(keychainFolder);
    if (opened === undefined) options.onNoKeychain();
    else {
      const watch = watchKeychainSessions(keychainFolder, () => changes.fire());
      watches.push({ dispose: () => watch[Symbol.dispose]() });
    }
    return opened;
  };
  const shared = async (
    kept: AccountStores,
    url: string,
    identity: PinnedTrust['identity'],
  ): Promise<AccountStores> => {
    const keychain = await (opening ??= open());
    const key = partiesKey(url, identity);
    const here = unkept.get(key);
    if (keychain === undefined) {
      const unsaved = here ?? memoryAccountStores();
      unkept.set(key, unsaved);
      return unsaved;
    }
    const stores = keychain.stores(url, identity);
    const lock = (account?: string): RefreshLock => keychainLock(keychainFolder, account);
    // What the window has is refreshed under the keychain's locks already.
    if (here !== undefined) await moveAccounts({ stores: here, lock: unlocked }, { stores, lock });
    unkept.delete(key);
    await moveAccounts({ stores: kept, lock: own.lock }, { stores, lock });
    return stores;
  };
  const lastUse = (): LastUse => (usesKeychain() ? (opened?.lastUse ?? own.lastUse) : own.lastUse);

  return {
    stores(url, identity) {
      const kept = own.stores(url, identity);
      if (!usesKeychain()) return kept;
      let ready: Promise<AccountStores> | undefined;
      return openedAccountStores(() => {
        ready ??= shared(kept, url, identity).catch((error: unknown) => {
          ready = undefined;
          throw error;
        });
        return ready;
      });
    },
    lock: (account) => (usesKeychain() ? keychainLock(keychainFolder, account) : own.lock(account)),
    lastUse: { read: () => lastUse().read(), write: (atMs) => lastUse().write(atMs) },
    get place() {
      if (!usesKeychain()) return 'editor';
      return opened === undefined ? 'window' : 'keychain';
    },
    onDidChange: changes.on,
    async lookAgain() {
      if (opened === undefined) opening = undefined;
      return (await (opening ??= open())) !== undefined;
    },
    dispose() {
      for (const watch of watches) watch.dispose();
      changes.dispose();
      own.dispose();
    },
  };
}

const unlocked = (): RefreshLock => ({ withLock: (work) => work() });
