import { type ListedAccount, parseAccountList } from './account-list.ts';
import { type AccountStores, databricksKey } from './account-stores.ts';
import type { RefreshLock } from './refresh-lock.ts';

/** Accounts and the locks under which they are changed. */
export interface LockedAccounts {
  readonly stores: AccountStores;
  /** The lock of one account, or of the list. */
  readonly lock: (account?: string) => RefreshLock;
}

/**
 * Moves accounts to another place, which then is the only one. What is there already stays: of somebody who is signed in
 * in both, the session of the old place is dropped and left to run out. Begun anew after an interruption, it goes on.
 */
export async function moveAccounts(from: LockedAccounts, to: LockedAccounts): Promise<void> {
  if ((await from.stores.list.read()) === undefined) return;
  await from.lock().withLock(() =>
    to.lock().withLock(async () => {
      const old = parseAccountList(await from.stores.list.read());
      for (const account of old.accounts) {
        await moveSession(account, from, to);
        await moveSignIns(account, from, to);
      }
      const present = parseAccountList(await to.stores.list.read());
      const known = new Set(present.accounts.map(({ key }) => key));
      const accounts = [...present.accounts, ...old.accounts.filter(({ key }) => !known.has(key))];
      const acting = present.acting ?? old.acting;
      if (accounts.length > 0) {
        await to.stores.list.write(JSON.stringify({ ...(acting !== undefined && { acting }), accounts }));
      }
      await from.stores.list.clear();
    }),
  );
}

/** An account's own sign-ins at workspaces, as {@link moveSession} does. */
async function moveSignIns({ key }: ListedAccount, from: LockedAccounts, to: LockedAccounts): Promise<void> {
  const lock = databricksKey(key);
  await from.lock(lock).withLock(() =>
    to.lock(lock).withLock(async () => {
      const signIns = await from.stores.databricks(key).read();
      const target = to.stores.databricks(key);
      if (signIns !== undefined && (await target.read()) === undefined) await target.write(signIns);
      await from.stores.databricks(key).clear();
    }),
  );
}

/** Under the old lock: a window that still refreshes there must not use up what has moved. */
async function moveSession({ key }: ListedAccount, from: LockedAccounts, to: LockedAccounts): Promise<void> {
  await from.lock(key).withLock(() =>
    to.lock(key).withLock(async () => {
      const session = await from.stores.session(key).read();
      const target = to.stores.session(key);
      if (session !== undefined && (await target.read()) === undefined) await target.write(session);
      await from.stores.session(key).clear();
    }),
  );
}
