import { memorySessionStore, type SessionStore } from './session.ts';

/** Where the accounts of this machine are kept, at one control plane and one identity provider. */
export interface AccountStores {
  /** Who they are, and which one acts. No secret is in it. */
  readonly list: SessionStore;
  /** The session of one account; each has a place of its own, so that windows do not lose each other's writes. */
  session(account: string): SessionStore;
  /** What one account's own sign-ins at workspaces brought. */
  databricks(account: string): SessionStore;
}

/** The key of an account's own sign-ins at workspaces, beside that of its session. */
export function databricksKey(account: string): string {
  return `${account}-databricks`;
}

/** Accounts that end with the process, for machines without a keychain. */
export function memoryAccountStores(): AccountStores {
  const list = memorySessionStore();
  const stores = new Map<string, SessionStore>();
  const storeAt = (key: string): SessionStore => {
    const known = stores.get(key) ?? memorySessionStore();
    stores.set(key, known);
    return known;
  };
  return { list, session: storeAt, databricks: (account) => storeAt(databricksKey(account)) };
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
    databricks: (account) => opened((stores) => stores.databricks(account)),
  };
}
