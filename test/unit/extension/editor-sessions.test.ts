import assert from 'node:assert/strict';

import {
  editorSessions,
  type EditorSessions,
} from '../../../src/extension/authentication/editor-sessions.ts';
import {
  type KeychainSessions,
  lastUseHere,
  memoryAccountStores,
  processRefreshLock,
} from '../../../src/identity/index.ts';
import { ANA_SESSION } from './views.ts';
import { actFrom, storeOf } from './account-stores.ts';

const PARTIES = { issuer: 'https://idp.example', clientId: 'c', audience: 'a', scopes: [] };
const URL = 'https://oam.example';

describe('the sessions of a window that shares them with oam', () => {
  it('move to the keychain by a click where it was locked at the start and is unlocked now', async () => {
    const inKeychain = memoryAccountStores();
    const machine: { keychain?: KeychainSessions } = {};
    let notices = 0;
    const own: EditorSessions = {
      stores: () => memoryAccountStores(),
      lock: () => processRefreshLock(),
      lastUse: lastUseHere(),
      place: 'editor',
      onDidChange: () => ({ dispose: () => undefined }),
      dispose: () => undefined,
    };
    const sessions = editorSessions({
      own,
      usesKeychain: () => true,
      keychainFolder: '/dev/null/no-folder',
      openKeychain: () => Promise.resolve(machine.keychain),
      onNoKeychain: () => (notices += 1),
    });
    const unkept = sessions.stores(URL, PARTIES);
    await actFrom(unkept, ANA_SESSION);
    assert.deepEqual([sessions.place, notices], ['window', 1]);

    assert.equal(await sessions.lookAgain(), false);
    assert.deepEqual([sessions.place, notices], ['window', 2]);
    assert.ok(await storeOf(sessions.stores(URL, PARTIES), ANA_SESSION).read());

    machine.keychain = { stores: () => inKeychain, lastUse: lastUseHere() };
    assert.equal(await sessions.lookAgain(), true);
    assert.ok(await storeOf(sessions.stores(URL, PARTIES), ANA_SESSION).read());
    assert.deepEqual([sessions.place, notices], ['keychain', 2]);
    assert.ok(await storeOf(inKeychain, ANA_SESSION).read(), 'it lies in the keychain');
    assert.equal(await storeOf(unkept, ANA_SESSION).read(), undefined, 'and nowhere else');
    sessions.dispose();
  });
});
