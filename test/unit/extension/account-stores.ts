import {
  accountKey,
  type AccountStores,
  parseAccountList,
  withAccount,
} from '../../../src/extension/authentication/account-list.ts';
import {
  memorySessionStore,
  principalOf,
  type Session,
  type SessionStore,
} from '../../../src/identity/index.ts';

/** Accounts that end with the process; windows that are given the same ones share them. */
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

/** Stores a session as another window would, which then acts. */
export async function actFrom(stores: AccountStores, session: Session): Promise<void> {
  const principal = principalOf(session);
  const key = accountKey(principal);
  await stores.session(key).write(JSON.stringify(session));
  const list = parseAccountList(await stores.list.read());
  const account = { key, ...principal, userName: session.userName };
  await stores.list.write(JSON.stringify(withAccount(list, account, key)));
}

/** Where the session of somebody lies. */
export function storeOf(stores: AccountStores, session: Session): SessionStore {
  return stores.session(accountKey(principalOf(session)));
}
