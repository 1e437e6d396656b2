import { parseAccountList, withAccount } from '../../../src/identity/account-list.ts';
import {
  accountKey,
  type AccountStores,
  principalOf,
  type Session,
  type SessionStore,
} from '../../../src/identity/index.ts';

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
