import assert from 'node:assert/strict';

import { controlPlaneUrl, trustedHosts } from '../../../src/cli/connection/address.ts';
import { chooseWorkspace, connect } from '../../../src/cli/connection/connect.ts';
import { type Keychain, keychainSessionStore, openKeychain } from '../../../src/cli/connection/keychain.ts';
import { stateFolder } from '../../../src/cli/connection/state-folder.ts';
import { login, status } from '../../../src/cli/commands/sign-in.ts';
import { UsageError } from '../../../src/cli/failure.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { fakeControlPlane, fakeInvocation, ok } from './fake-control-plane.ts';

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
  it('may be missing, or there without anybody to talk to, and that is no error', async () => {
    assert.equal(await openKeychain(() => Promise.reject(new Error('no native module'))), undefined);
    const mute = { ...memoryKeychain(), getPassword: () => Promise.reject(new Error('no D-Bus')) };
    assert.equal(await openKeychain(() => Promise.resolve(mute)), undefined);
  });

  it('keeps one session for each control plane', async () => {
    const keychain = memoryKeychain();
    const [one, two] = ['https://one', 'https://two'].map((url) => keychainSessionStore(keychain, url));
    await one?.write('session one');
    assert.equal(await one?.read(), 'session one');
    assert.equal(await two?.read(), undefined);
    await one?.clear();
    assert.equal(await one?.read(), undefined);
  });

  it('has its lock in a folder of the user', () => {
    assert.equal(stateFolder({ HOME: '/h' }, 'linux'), '/h/.local/state/databricks-ml-oam');
    assert.equal(stateFolder({ HOME: '/h', XDG_STATE_HOME: '/s' }, 'linux'), '/s/databricks-ml-oam');
    assert.equal(stateFolder({ HOME: '/h' }, 'darwin'), '/h/Library/Application Support/databricks-ml-oam');
  });
});

describe('oam: the session', () => {
  const configuration = ok({
    product: 'databricks-ml-oam',
    version: '1',
    identity: { issuer: 'https://idp.example', clientId: 'c', audience: 'a', scopes: [] },
    workspaces: [{ name: 'ml-prod', host: 'https://prod' }],
  });
  const connected = async (keychain: Keychain | undefined) => {
    const { transport } = fakeControlPlane({ 'GET /configuration': [configuration] });
    const fake = fakeInvocation({
      transport,
      env: { OAM_URL: 'https://oam.example', XDG_STATE_HOME: '/dev/null', HOME: '/dev/null' },
    });
    return { ...fake, connection: await connect(fake.invocation, FLAGS, () => Promise.resolve(keychain)) };
  };
  const session = {
    ...{ issuer: 'https://idp.example', subject: 'ana', userName: 'ana@example.com', displayName: 'Ana' },
    ...{
      accessToken: 'access-token-1',
      accessTokenExpiresAtMs: 1,
      idToken: 'id-token-1',
      idTokenExpiresAtMs: 1,
    },
    refreshToken: 'refresh-token-1',
  };

  it('is not begun by login where nothing could keep it', async () => {
    const { connection, invocation } = await connected(undefined);
    await assert.rejects(login(connection, invocation), (error) => hasCode(error, 'no_keychain'));
  });

  it('is told by status, without a token in it', async () => {
    const { connection, invocation, answers } = await connected(memoryKeychain());
    await connection.session.accept(session);
    await status(connection, FLAGS, invocation);
    await status(connection, { ...FLAGS, json: true }, invocation);
    assert.match(answers.join('\n'), /Signed in {6}Ana \(ana@example\.com\)/);
    assert.ok(!answers.join().includes('-token-1'));
  });

  it('is nobody before sign-in', async () => {
    const { connection, invocation, answers } = await connected(memoryKeychain());
    await status(connection, FLAGS, invocation);
    assert.match(answers.join('\n'), /nobody; sign in with: oam login/);
  });
});
