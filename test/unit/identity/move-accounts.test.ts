import assert from 'node:assert/strict';

import { parseAccountList } from '../../../src/identity/account-list.ts';
import {
  accountKey,
  type AccountStores,
  type LockedAccounts,
  memoryAccountStores,
  moveAccounts,
  processRefreshLock,
  type SessionStore,
} from '../../../src/identity/index.ts';
import { actFrom, storeOf } from '../extension/account-stores.ts';
import { ANA_SESSION } from '../extension/views.ts';

const LENA = { ...ANA_SESSION, subject: 'lena', userName: 'lena@example.com' };

/** Places that stop working after so many changes, as where the process is killed. */
class Interruption {
  #changes = 0;
  readonly #after: number;

  constructor(after: number) {
    this.#after = after;
  }

  of(stores: AccountStores): AccountStores {
    const counted = (store: SessionStore): SessionStore => ({
      read: () => store.read(),
      write: (value) => this.#count().then(() => store.write(value)),
      clear: () => this.#count().then(() => store.clear()),
    });
    return {
      list: counted(stores.list),
      session: (account) => counted(stores.session(account)),
      databricks: (account) => counted(stores.databricks(account)),
    };
  }

  #count(): Promise<void> {
    this.#changes += 1;
    return this.#changes > this.#after ? Promise.reject(new Error('killed')) : Promise.resolve();
  }
}

const locked = (stores: AccountStores): LockedAccounts => {
  const locks = new Map<string, ReturnType<typeof processRefreshLock>>();
  return {
    stores,
    lock(account = '') {
      const known = locks.get(account) ?? processRefreshLock();
      locks.set(account, known);
      return known;
    },
  };
};

describe('accounts that move to the keychain', () => {
  it('are all there afterwards and nowhere else, wherever it was interrupted before', async () => {
    for (let after = 0; ; after += 1) {
      const [from, to] = [memoryAccountStores(), memoryAccountStores()];
      await actFrom(from, LENA);
      await actFrom(from, ANA_SESSION);
      const interruption = new Interruption(after);
      const first = moveAccounts(locked(interruption.of(from)), locked(interruption.of(to)));
      const isWhole = await first.then(
        () => true,
        () => false,
      );
      await moveAccounts(locked(from), locked(to));
      const list = parseAccountList(await to.list.read());
      assert.equal(list.acting, accountKey({ iss: ANA_SESSION.issuer, sub: ANA_SESSION.subject }));
      assert.deepEqual(list.accounts.map(({ userName }) => userName).sort(), [
        ANA_SESSION.userName,
        LENA.userName,
      ]);
      for (const session of [ANA_SESSION, LENA]) {
        assert.equal(await storeOf(to, session).read(), JSON.stringify(session));
        assert.equal(await storeOf(from, session).read(), undefined);
      }
      assert.equal(await from.list.read(), undefined);
      if (isWhole) {
        assert(after > 4, 'it was interrupted at every step');
        return;
      }
    }
  });

  it('leave what the keychain has already, and whom it lets act', async () => {
    const [from, to] = [memoryAccountStores(), memoryAccountStores()];
    const newer = { ...ANA_SESSION, refreshToken: 'of-oam' };
    await actFrom(from, LENA);
    await actFrom(from, ANA_SESSION);
    await actFrom(to, newer);
    await moveAccounts(locked(from), locked(to));
    assert.equal(await storeOf(to, ANA_SESSION).read(), JSON.stringify(newer));
    const { acting, accounts } = parseAccountList(await to.list.read());
    assert.deepEqual(
      accounts.map(({ key, userName }) => [userName, key === acting]),
      [
        [ANA_SESSION.userName, true],
        [LENA.userName, false],
      ],
    );
  });

  it('wait for a refresh in the old place, whose token they then take', async () => {
    const [from, to] = [locked(memoryAccountStores()), locked(memoryAccountStores())];
    await actFrom(from.stores, ANA_SESSION);
    const rotated = { ...ANA_SESSION, refreshToken: 'rotated' };
    const answer = Promise.withResolvers<undefined>();
    const key = accountKey({ iss: ANA_SESSION.issuer, sub: ANA_SESSION.subject });
    const refresh = from.lock(key).withLock(async () => {
      await answer.promise;
      await storeOf(from.stores, ANA_SESSION).write(JSON.stringify(rotated));
    });
    const moved = moveAccounts(from, to);
    await new Promise(setImmediate);
    assert.equal(await storeOf(to.stores, ANA_SESSION).read(), undefined);
    answer.resolve(undefined);
    await Promise.all([refresh, moved]);
    assert.equal(await storeOf(to.stores, ANA_SESSION).read(), JSON.stringify(rotated));
  });
});
