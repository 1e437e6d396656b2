import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { parseAccountList } from '../../../src/identity/account-list.ts';
import { stateFolder } from '../../../src/identity/index.ts';
import {
  PEOPLE,
  type Person,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { EditorWindow, startConfiguration, type WindowSettings } from '../extension/editor-windows.ts';
import { type Keyring, noKeyring, startKeyring } from '../identity/keyring.ts';
import { until } from '../../host/until.ts';
import { endPrograms, oam, type Run } from './oam-process.ts';

describe('a session in the keychain of the machine', function () {
  this.timeout(60_000);
  afterEach(endPrograms);
  let idp: RunningIdentityProvider;
  let plane: Awaited<ReturnType<typeof startConfiguration>>;
  let keyring: Keyring;
  let windows: EditorWindow[];

  before(async function () {
    const reason = noKeyring();
    if (reason !== undefined) {
      console.log(`    skipped: ${reason}`);
      this.skip();
    }
    idp = await startIdentityProvider({ devicePollSeconds: 0.05 });
    plane = await startConfiguration(idp.issuer);
  });
  after(async () => {
    plane?.close();
    await idp?.close();
  });
  beforeEach(async () => {
    keyring = await startKeyring();
    windows = [];
  });
  afterEach(async () => {
    await Promise.all(windows.map((window) => window.close()));
    await keyring.close();
  });

  const command = (words: readonly string[], person?: Person): Promise<Run> =>
    oam(words, { env: { ...keyring.env, OAM_URL: plane.url }, ...(person && { person }) });
  const open = (changes: Partial<WindowSettings> = {}, env = keyring.env): EditorWindow => {
    const window = new EditorWindow(
      {
        controlPlane: plane.url,
        storage: path.join(keyring.home, 'storage'),
        secrets: path.join(keyring.home, 'secrets'),
        usesKeychain: true,
        ...changes,
      },
      env,
    );
    windows.push(window);
    return window;
  };
  const filesWith = async (text: RegExp): Promise<string[]> => {
    const files = await readdir(keyring.home, { recursive: true, withFileTypes: true });
    const found: string[] = [];
    for (const file of files.filter((candidate) => candidate.isFile())) {
      const name = path.join(file.parentPath, file.name);
      if (text.test(await readFile(name, 'latin1'))) found.push(name);
    }
    return found;
  };

  it('lasts from one command to the next, lies in no file, and is gone with a logout', async () => {
    const login = await command(['login'], PEOPLE.ana);
    assert.equal(login.stdout, `Signed in as Ana Silva (${PEOPLE.ana.userName}).\n`, login.stderr);
    const status = await command(['status']);
    assert.match(status.stdout, /Signed in {6}Ana Silva/);
    // No token, and not even a name: the first is in every JWT, the second in a session.
    assert.deepEqual(await filesWith(/eyJhbGciOi|refreshToken|ana\.silva/), []);
    const logout = await command(['logout']);
    assert.equal(logout.stdout, `Signed out Ana Silva (${PEOPLE.ana.userName}).\n`);
    assert.match((await command(['status'])).stdout, /nobody; sign in with: oam login/);
  });

  it('is one for oam and the editor where the person wants it: sign-in, rotation, switch and sign-out', async () => {
    const window = open();
    await window.do({ do: 'start' });
    await command(['login'], PEOPLE.ana);
    await until('the window hears of it', async () => (await window.do({ do: 'look' })).acting);
    assert.equal((await window.do({ do: 'rotate', times: 3 })).acting, PEOPLE.ana.userName);
    assert.match((await command(['status'])).stdout, /Signed in {6}Ana Silva/);
    const both = await window.do({ do: 'signIn', person: 'lena' });
    assert.deepEqual(both.accounts, [PEOPLE.lena.userName, PEOPLE.ana.userName]);
    assert.match((await command(['status'])).stdout, /Signed in {6}Lena Fischer/);
    await command(['logout']);
    await until('the window hears of it', async () => (await window.do({ do: 'look' })).kind === 'signedOut');
    await window.do({ do: 'signIn', person: 'omar' });
    await window.do({ do: 'signOut' });
    assert.match((await command(['status'])).stdout, /nobody; sign in/);
    assert.deepEqual(await readdir(path.join(keyring.home, 'secrets')), []);
  });

  it('is kept apart where they do not', async () => {
    const window = open({ usesKeychain: false });
    await window.do({ do: 'start' });
    await window.do({ do: 'signIn', person: 'ana' });
    assert.match((await command(['status'])).stdout, /nobody; sign in/);
    await command(['login'], PEOPLE.lena);
    await command(['logout']);
    assert.equal((await window.do({ do: 'rotate', times: 2 })).acting, PEOPLE.ana.userName);
  });

  it('takes what lay in the editor when it is switched on, and nothing is left there', async () => {
    const window = open({ usesKeychain: false });
    await window.do({ do: 'start' });
    await window.do({ do: 'signIn', person: 'lena' });
    await window.do({ do: 'signIn', person: 'ana' });
    const moved = await window.do({ do: 'useKeychain', on: true });
    assert.deepEqual([moved.kind, moved.acting], ['signedIn', PEOPLE.ana.userName]);
    assert.deepEqual(moved.accounts, [PEOPLE.ana.userName, PEOPLE.lena.userName]);
    assert.deepEqual(await readdir(path.join(keyring.home, 'secrets')), []);
    assert.match((await command(['status'])).stdout, /Signed in {6}Ana Silva/);
    await window.do({ do: 'rotate', times: 2 });
    // What oam has stays with it; the editor is a stranger again.
    const apart = await window.do({ do: 'useKeychain', on: false });
    assert.deepEqual([apart.kind, apart.accounts], ['signedOut', []]);
    assert.match((await command(['status'])).stdout, /Signed in {6}Ana Silva/);
  });

  it('prefers what the keychain has already: nobody loses their oam session to the editor', async () => {
    await command(['login'], PEOPLE.lena);
    const window = open({ usesKeychain: false });
    await window.do({ do: 'start' });
    await window.do({ do: 'signIn', person: 'ana' });
    const moved = await window.do({ do: 'useKeychain', on: true });
    assert.deepEqual(moved.accounts, [PEOPLE.lena.userName, PEOPLE.ana.userName]);
    assert.match((await command(['status'])).stdout, /Signed in {6}Lena Fischer/);
  });

  it('has one refresh lock: windows and commands rotate it at once, and the provider sees no token twice', async () => {
    await command(['login'], PEOPLE.ana);
    const both = [open(), open()];
    for (const window of both) assert.equal((await window.do({ do: 'start' })).kind, 'signedIn');
    const [first, second, ...runs] = await Promise.all([
      ...both.map((window) => window.do({ do: 'rotate', times: 20 })),
      ...Array.from({ length: 4 }, () => command(['status'])),
    ]);
    for (const view of [first, second]) assert.deepEqual(view && 'seen' in view && view.seen, []);
    for (const run of runs) assert.match('stdout' in run ? run.stdout : '', /Signed in {6}Ana Silva/);
    for (const window of both) assert.equal((await window.do({ do: 'rotate', times: 1 })).kind, 'signedIn');
  });

  it('is a session of the window, and of the process, where there is no keychain, and each says so', async () => {
    const headless = { PATH: keyring.env['PATH'] ?? '', HOME: keyring.home };
    const run = await oam(['login'], { env: { ...headless, OAM_URL: plane.url } });
    assert.equal(run.code, 1);
    assert.match(
      run.stderr,
      /^oam: This machine has no keychain that could keep a session, and a session is never kept/,
    );
    const window = open({}, headless);
    assert.equal((await window.do({ do: 'start' })).kind, 'signedOut');
    const signedIn = await window.do({ do: 'signIn', person: 'ana' });
    assert.deepEqual([signedIn.kind, signedIn.notices], ['signedIn', 1]);
    assert.equal((await window.do({ do: 'rotate', times: 2 })).kind, 'signedIn');
    assert.deepEqual(await readdir(path.join(keyring.home, 'secrets')), []);
    assert.equal((await open({}, headless).do({ do: 'start' })).kind, 'signedOut');
    assert.deepEqual(await filesWith(/eyJhbGciOi|refreshToken/), []);
  });

  it('is a session of the window while the keychain is locked, and asks for nothing more than another try', async () => {
    await keyring.lock();
    const window = open();
    await window.do({ do: 'start' });
    const signedIn = await window.do({ do: 'signIn', person: 'ana' });
    assert.deepEqual([signedIn.kind, signedIn.place, signedIn.notices], ['signedIn', 'window', 1]);
    const still = await window.do({ do: 'lookForKeychain' });
    assert.deepEqual([still.acting, still.place, still.notices], [PEOPLE.ana.userName, 'window', 2]);
    assert.equal((await window.do({ do: 'rotate', times: 2 })).kind, 'signedIn');
  });

  it('leaves names of accounts in no file either, and a damaged file is nobody', async () => {
    await command(['login'], PEOPLE.ana);
    const folder = path.join(stateFolder(keyring.env), 'sealed');
    const names = await readdir(folder);
    assert.equal(names.length, 2);
    for (const name of names) {
      const text = await readFile(path.join(folder, name), 'utf8');
      assert.deepEqual(parseAccountList(text).accounts, []);
    }
  });
});
