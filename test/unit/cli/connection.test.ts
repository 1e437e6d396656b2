import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path, { isAbsolute } from 'node:path';

import { controlPlaneUrl, trustedHosts } from '../../../src/cli/connection/address.ts';
import { chooseWorkspace } from '../../../src/cli/connection/connect.ts';
import { UsageError } from '../../../src/cli/failure.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { type Keychain, openKeychainSessions, stateFolder } from '../../../src/identity/index.ts';

const FLAGS = { keychain: true };

function memoryKeychain(): Keychain & { readonly items: Map<string, string> } {
  const items = new Map<string, string>();
  return {
    items,
    getPassword: (service, account) => Promise.resolve(items.get(`${service}|${account}`) ?? null),
    setPassword(service, account, password) {
      items.set(`${service}|${account}`, password);
      return Promise.resolve();
    },
    deletePassword: (service, account) => Promise.resolve(items.delete(`${service}|${account}`)),
  };
}

describe('oam: where the control plane is', () => {
  it('is what the flag says, before the environment', () => {
    const env = { OAM_URL: 'https://env.example' };
    assert.equal(controlPlaneUrl({ ...FLAGS, url: 'https://flag.example/' }, env), 'https://flag.example');
    assert.equal(controlPlaneUrl(FLAGS, env), 'https://env.example');
    assert.equal(controlPlaneUrl({ ...FLAGS, url: 'http://127.0.0.1:8080' }, {}), 'http://127.0.0.1:8080');
  });

  for (const url of [
    '',
    'oam.example',
    'http://oam.example',
    'ftp://oam.example',
    'https://oam.example/api',
    'https://u:p@oam.example',
    'https://oam.example/?x',
  ]) {
    it(`is not '${url}'`, () => {
      assert.throws(() => controlPlaneUrl({ ...FLAGS, url }, {}), UsageError);
    });
  }

  it('must be said', () => {
    assert.throws(() => controlPlaneUrl(FLAGS, {}), UsageError);
  });

  it('has trusted hosts beside it', () => {
    assert.deepEqual(trustedHosts({}), []);
    assert.deepEqual(
      trustedHosts({ OAM_TRUSTED_WORKSPACE_HOSTS: ' https://a.example, http://127.0.0.1:1 ' }),
      ['https://a.example', 'http://127.0.0.1:1'],
    );
  });
});

describe('oam: the workspace', () => {
  const prod = { name: 'ml-prod', host: 'https://prod' };
  const dev = { name: 'ml-dev', host: 'https://dev' };

  it('is the one that is named, or the only one', () => {
    assert.equal(chooseWorkspace([prod, dev], 'ml-dev'), dev);
    assert.equal(chooseWorkspace([prod], undefined), prod);
  });

  it('must be named where there are several, by a name that exists', () => {
    assert.throws(
      () => chooseWorkspace([prod, dev], undefined),
      (error) => hasCode(error, 'workspace_needed'),
    );
    assert.throws(
      () => chooseWorkspace([prod, dev], 'x'),
      (error) => hasCode(error, 'unknown_workspace'),
    );
    assert.throws(
      () => chooseWorkspace([], undefined),
      (error) => hasCode(error, 'workspace_needed'),
    );
  });
});

describe('oam: the keychain', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'oam-keychain-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const open = (keychain: Keychain, at = folder) => openKeychainSessions(at, () => Promise.resolve(keychain));

  it('may be missing, there without anybody to talk to, or closed to writing, and that is no error', async () => {
    const none = () => Promise.reject(new Error('no native module'));
    assert.equal(await openKeychainSessions(folder, none), undefined);
    assert.equal(
      await open({ ...memoryKeychain(), getPassword: () => Promise.reject(new Error('no D-Bus')) }),
      undefined,
    );
    const readOnly = { ...memoryKeychain(), setPassword: () => Promise.reject(new Error('no collection')) };
    assert.equal(await open(readOnly), undefined);
    const good = memoryKeychain();
    assert.equal(await open(good, '/dev/null'), undefined);
    assert.deepEqual([...good.items], []);
  });

  it('guards the accounts of each control plane, identity provider and client, with one secret for all', async () => {
    const keychain = memoryKeychain();
    const sessions = await open(keychain);
    assert(sessions !== undefined);
    const identity = { issuer: 'https://idp', clientId: 'c', audience: 'a' };
    const here = sessions.stores('https://one', identity);
    const others = [
      sessions.stores('https://two', identity),
      ...(['issuer', 'clientId', 'audience'] as const).map((what) =>
        sessions.stores('https://one', { ...identity, [what]: 'x' }),
      ),
    ];
    await here.session('ana').write('a session with its tokens');
    assert.equal(await here.session('ana').read(), 'a session with its tokens');
    for (const other of others) assert.equal(await other.session('ana').read(), undefined);
    assert.equal(keychain.items.size, 1);
    // What lies in files is sealed, and worth nothing without the keychain.
    const sealed = path.join(folder, 'sealed');
    const names = await readdir(sealed);
    assert.equal(names.length, 1);
    for (const name of names) assert(!(await readFile(path.join(sealed, name), 'utf8')).includes('tokens'));
    const emptied = await open(memoryKeychain());
    assert.equal(await emptied?.stores('https://one', identity).session('ana').read(), undefined);
  });

  it('has one key, however many programs come first at once', async () => {
    const keychain = memoryKeychain();
    const slow = {
      ...keychain,
      async getPassword(service: string, account: string) {
        const found = await keychain.getPassword(service, account);
        await new Promise(setImmediate);
        return found;
      },
    };
    const programs = await Promise.all(Array.from({ length: 4 }, () => open(slow)));
    const identity = { issuer: 'https://idp', clientId: 'c', audience: 'a' };
    await programs[0]?.stores('https://one', identity).list.write('a list');
    for (const program of programs) {
      assert.equal(await program?.stores('https://one', identity).list.read(), 'a list');
    }
  });

  it('has its files in a folder of the user', () => {
    assert.equal(stateFolder({ HOME: '/h' }, 'linux'), '/h/.local/state/databricks-ml-oam');
    assert.equal(stateFolder({ HOME: '/h', XDG_STATE_HOME: '/s' }, 'linux'), '/s/databricks-ml-oam');
    // The folder in which somebody happens to work, perhaps a repository, is no place for it.
    assert.equal(
      stateFolder({ HOME: '/h', XDG_STATE_HOME: 's' }, 'linux'),
      stateFolder({ HOME: '/h' }, 'linux'),
    );
    for (const HOME of ['', 'home/ana']) assert.ok(isAbsolute(stateFolder({ HOME }, 'linux')));
    assert.equal(stateFolder({ HOME: '/h' }, 'darwin'), '/h/Library/Application Support/databricks-ml-oam');
  });
});
