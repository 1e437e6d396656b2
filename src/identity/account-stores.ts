import { memorySessionStore, type SessionStore } from './session.ts';

/** Where the accounts of this machine are kept, at one control plane and one identity provider. */
export interface AccountStores {
  /** Who they are, and which one acts. No secret is in it. */
  readonly list: SessionStore;
  /** The session of one account; each has a place of its own, so that windows do not lose each other's writes. */
  session(account: string): SessionStore;
}

/** Accounts that end with the process, for machines without a keychain. */
export function memoryAccountStores(): AccountStores {
  const list = memorySessionStore();
  const sessions = new Map<string, SessionStore>();
  return {
    list,
    session(account) {
      const known = sessions.get(account) ?? memorySessionStore();
      sessions.set(account, known);
      return known;
    },
  };
}

/**
 * Accounts in a place that is opened with the first question.
 *
 * @param open asked each time; it remembers what it has opened.
 */
export function openedAccountStores(open: () => Promise<AccountStores>): AccountStores {
  const opened = (of: (stores: AccountStores) => SessionStore): SessionStore => ({
    read: async () => of(await open()).read(),
    write: async (value) => of(await open()).write(value),
    clear: async () => of(await open()).clear(),
  });
  return {
    list: opened(({ list }) => list),
    session: (account) => opened((stores) => stores.session(account)),
  };
}
