import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { hostTrust } from '../../../src/databricks/index.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import {
  machineKey,
  secretSessionStore,
  sessionKey,
} from '../../../src/extension/authentication/secret-session-store.ts';
import { readWantedFlow, signInFlows } from '../../../src/extension/authentication/sign-in-flow.ts';
import { Connection, type ConnectionState } from '../../../src/extension/connection/connection.ts';
import { controlPlaneOrigin } from '../../../src/extension/connection/control-plane-address.ts';
import {
  needsNewSession,
  PinBoard,
  type PinMemento,
  type PinnedTrust,
  trustChanges,
  trustChangeWords,
} from '../../../src/extension/connection/pinned-trust.ts';
import { memoryAccountStores, processRefreshLock, type Session } from '../../../src/identity/index.ts';
import type { HttpTransport } from '../../../src/protocol/transport.ts';
import { startIdentityProvider } from '../../../src/sandbox/identity-provider/index.ts';
import { actFrom, storeOf } from './account-stores.ts';
import { english } from './localise.ts';
import { ANA_SESSION, DEV, PROD, TRUST } from './views.ts';

function memento(): PinMemento {
  const values = new Map<string, unknown>();
  return {
    get: (key) => values.get(key),
    update: (key, value) => {
      values.set(key, value);
      return Promise.resolve();
    },
  };
}

describe('the address of the control plane', () => {
  it('is an https origin, or one on this machine', () => {
    assert.equal(controlPlaneOrigin('  '), undefined);
    assert.equal(controlPlaneOrigin('https://oam.example.com/some/path/'), 'https://oam.example.com');
    assert.equal(controlPlaneOrigin('http://127.0.0.1:7657'), 'http://127.0.0.1:7657');
    for (const bad of [
      'http://oam.example.com',
      'oam.example.com',
      'https://u:p@oam.example.com',
      'file:///x',
    ]) {
      assert.throws(() => controlPlaneOrigin(bad), { code: 'bad_control_plane_url' }, bad);
    }
  });
});

describe('whom a person trusts', () => {
  it('is kept for each control plane, and what is stored is not believed', async () => {
    const memory = memento();
    const pins = new PinBoard(memory);
    await pins.write('https://one', TRUST);
    assert.deepEqual(pins.read('https://one'), TRUST);
    assert.equal(pins.read('https://two'), undefined);
    await memory.update('pin:https://two', { identity: { issuer: 3 } });
    assert.equal(pins.read('https://two'), undefined);
  });

  it('changes are named, old and new; the order of workspaces is none', () => {
    assert.deepEqual(trustChanges(TRUST, { ...TRUST, workspaces: [DEV, PROD] }), []);
    const evil = { ...TRUST, identity: { ...TRUST.identity, issuer: 'https://evil.example.com' } };
    const changes = trustChanges(TRUST, evil);
    assert.deepEqual(changes, [
      { what: 'issuer', old: 'https://idp.example.com', new: 'https://evil.example.com' },
    ]);
    assert(needsNewSession(changes));
    assert.match(
      trustChangeWords(english, changes),
      /Until now: https:\/\/idp\.example\.com\nFrom now on: https:\/\/evil/,
    );
    const moved = trustChanges(TRUST, { ...TRUST, workspaces: [PROD] });
    assert.deepEqual(
      moved.map(({ what }) => what),
      ['workspaces'],
    );
    assert(!needsNewSession(moved));
  });
});

describe('the connection', () => {
  const URL_OF_PLANE = 'https://oam.example.com';

  function connectionWith(change: {
    address?: string;
    pinned?: PinnedTrust;
    offered?: PinnedTrust;
    session?: Session;
    accepts?: boolean;
    issuer?: string;
  }) {
    const stores = memoryAccountStores();
    const store = storeOf(stores, change.session ?? ANA_SESSION);
    const pins = new PinBoard(memento());
    const asked: string[] = [];
    const questions: string[] = [];
    const transport: HttpTransport = ({ url }) => {
      asked.push(url);
      const offered = change.offered;
      if (offered === undefined) {
        return Promise.reject(new OamError('unreachable', 'The server could not be reached.'));
      }
      const text = JSON.stringify({ product: 'databricks-ml-oam', version: '1', ...offered });
      return Promise.resolve({ status: 200, headers: {}, text });
    };
    const connection = new Connection({
      trust: () => hostTrust([]),
      address: () => change.address ?? URL_OF_PLANE,
      pins,
      stores: () => stores,
      lock: () => processRefreshLock(),
      transport,
      confirmChange: (changes) => {
        questions.push(...changes.map(({ what }) => what));
        return Promise.resolve(change.accepts ?? false);
      },
      clock: { nowMs: () => 0 },
      logger: silentLogger,
      redactor: createRedactor(),
    });
    const states: ConnectionState['kind'][] = [];
    connection.onDidChange(({ kind }) => states.push(kind));
    const start = async (): Promise<void> => {
      if (change.pinned !== undefined) await pins.write(URL_OF_PLANE, change.pinned);
      if (change.session !== undefined) await actFrom(stores, change.session);
      await connection.start();
    };
    return { connection, pins, stores, store, asked, questions, states, start };
  }

  it('says where it stands without asking the network', async () => {
    const none = connectionWith({ address: '' });
    await none.start();
    assert.deepEqual(none.connection.state, { kind: 'notConfigured', error: undefined });
    const bad = connectionWith({ address: 'http://oam.example.com' });
    await bad.start();
    assert(bad.connection.state.kind === 'notConfigured' && bad.connection.state.error instanceof OamError);
    const out = connectionWith({ pinned: TRUST });
    await out.start();
    assert.deepEqual(out.connection.state, { kind: 'signedOut', url: URL_OF_PLANE, expired: false });
    const signedIn = connectionWith({ pinned: TRUST, session: ANA_SESSION });
    await signedIn.start();
    assert(signedIn.connection.state.kind === 'signedIn');
    assert.equal(signedIn.connection.state.session.subject, 'ana');
    assert.deepEqual([...none.asked, ...out.asked, ...signedIn.asked], []);
  });

  it('is signed in where the identity provider is away: what is kept is kept', async () => {
    const { connection, start } = connectionWith({ pinned: TRUST, session: ANA_SESSION });
    await start();
    await assert.rejects(connection.checkTrust(AbortSignal.timeout(1_000)), { code: 'unreachable' });
    assert.equal(connection.state.kind, 'signedIn');
  });

  it('sends a sign-in to nobody when a change is not agreed to', async () => {
    const evil = { ...TRUST, identity: { ...TRUST.identity, issuer: 'https://evil.example.com' } };
    const { connection, pins, questions, start } = connectionWith({ pinned: TRUST, offered: evil });
    await start();
    await assert.rejects(
      connection.signIn(() => assert.fail('nothing is performed'), AbortSignal.timeout(1_000)),
      { code: 'cancelled' },
    );
    assert.deepEqual(questions, ['issuer']);
    assert.deepEqual(pins.read(URL_OF_PLANE), TRUST);
  });

  it('ends the session when another identity provider is agreed to, and pins that one', async () => {
    const other = { ...TRUST, identity: { ...TRUST.identity, issuer: 'https://other.example.com' } };
    const { connection, pins, store, start } = connectionWith({
      pinned: TRUST,
      offered: other,
      session: { ...ANA_SESSION, issuer: 'https://127.0.0.1:1' },
      accepts: true,
    });
    await start();
    await connection.checkTrust(AbortSignal.timeout(1_000));
    assert.equal(connection.state.kind, 'signedOut');
    assert.equal(await store.read(), undefined);
    assert.deepEqual(pins.read(URL_OF_PLANE), other);
  });

  it('pins on the first sign-in, keeps the session, and forgets it at sign-out', async () => {
    const provider = await startIdentityProvider();
    try {
      const offered = { ...TRUST, identity: { ...TRUST.identity, issuer: provider.issuer } };
      const session = { ...ANA_SESSION, issuer: provider.issuer };
      const { connection, pins, stores, questions, start } = connectionWith({ offered });
      const store = storeOf(stores, session);
      await start();
      assert.equal(connection.pinned, undefined);
      await connection.signIn(() => Promise.resolve(session), AbortSignal.timeout(5_000));
      assert.equal(connection.state.kind, 'signedIn');
      assert.deepEqual(pins.read(URL_OF_PLANE), offered);
      assert.match((await store.read()) ?? '', /refresh-token-of-ana/);
      await connection.signOut();
      assert.deepEqual(connection.state, { kind: 'signedOut', url: URL_OF_PLANE, expired: false });
      assert.equal(await store.read(), undefined);
      assert.deepEqual(questions, []);
      await assert.rejects(connection.subjectToken(), { code: 'not_signed_in' });
    } finally {
      await provider.close();
    }
  });

  it('refuses a sign-in that is over the limit when it comes, in a sentence and without a loop', async () => {
    const provider = await startIdentityProvider();
    try {
      const sessions = { absoluteHours: 8 };
      const offered = { ...TRUST, identity: { ...TRUST.identity, issuer: provider.issuer }, sessions };
      const { connection, stores, start } = connectionWith({ offered });
      await start();
      const since = (hours: number) => () =>
        Promise.resolve({ ...ANA_SESSION, issuer: provider.issuer, beganAtMs: -hours * 3_600_000 });
      await assert.rejects(
        connection.signIn(since(9), AbortSignal.timeout(5_000)),
        /session_over_limit|your browser went on with an older sign-in/,
      );
      assert.equal(connection.state.kind, 'signedOut');
      assert.equal(await stores.list.read(), undefined);
      await connection.signIn(since(7), AbortSignal.timeout(5_000));
      assert.equal(connection.state.kind, 'signedIn');
    } finally {
      await provider.close();
    }
  });

  const LENA: Session = {
    ...ANA_SESSION,
    subject: 'lena',
    userName: 'lena@example.com',
    accessToken: 'access-token-of-lena',
    refreshToken: 'refresh-token-of-lena',
  };

  it('notices another person who signs in in another window, and asks nothing more in the first one’s name', async () => {
    const { asked, connection, stores, start } = connectionWith({ pinned: TRUST, session: ANA_SESSION });
    await start();
    assert(connection.state.kind === 'signedIn');
    const ofAna = connection.state.client;
    await actFrom(stores, LENA);
    await connection.storeChanged();
    assert(connection.state.kind === 'signedIn');
    assert.equal(connection.state.session.subject, 'lena');
    assert.notEqual(connection.state.client, ofAna);
    await assert.rejects(ofAna.call('getMe'), { code: 'principal_changed' });
    assert.deepEqual(asked, []);
  });

  it('keeps its client over a refresh of the same person', async () => {
    const { connection, store, start } = connectionWith({ pinned: TRUST, session: ANA_SESSION });
    await start();
    assert(connection.state.kind === 'signedIn');
    const { client } = connection.state;
    await store.write(JSON.stringify({ ...ANA_SESSION, accessToken: 'another-access-token-of-ana' }));
    await connection.storeChanged();
    assert(connection.state.kind === 'signedIn');
    assert.equal(connection.state.session.accessToken, 'another-access-token-of-ana');
    assert.equal(connection.state.client, client);
  });

  it('is signed out in the very call, and says so where the session cannot be deleted', async () => {
    const { connection, states, store, start } = connectionWith({ pinned: TRUST, session: ANA_SESSION });
    await start();
    store.clear = () => Promise.reject(new Error('locked'));
    const signedOut = connection.signOut();
    assert.equal(connection.state.kind, 'signedOut');
    await assert.rejects(signedOut, { code: 'session_not_deleted' });
    await connection.storeChanged();
    assert.deepEqual(states, ['starting', 'signedIn', 'signedOut']);
  });

  it('needs an address to sign in', async () => {
    const { connection, start } = connectionWith({ address: '' });
    await start();
    await assert.rejects(
      connection.signIn(() => assert.fail('nothing is performed'), AbortSignal.timeout(1_000)),
      { code: 'not_configured' },
    );
  });
});

describe('the kept session', () => {
  it('has a key of its own for each machine, control plane, identity provider, client and audience', () => {
    const { identity } = TRUST;
    const keys = [
      sessionKey('m1', 'https://a', identity),
      sessionKey('m2', 'https://a', identity),
      sessionKey('m1', 'https://b', identity),
      sessionKey('m1', 'https://a', { ...identity, issuer: 'https://x' }),
      sessionKey('m1', 'https://a', { ...identity, clientId: 'x' }),
      sessionKey('m1', 'https://a', { ...identity, audience: 'x' }),
    ];
    assert.equal(new Set(keys).size, keys.length);
    assert.equal(sessionKey('m1', 'https://a', { ...identity, scopes: [] }), keys[0]);
  });

  it('names a machine once', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'oam-machine-'));
    try {
      const name = machineKey(path.join(folder, 'not', 'there', 'yet'));
      assert.match(name, /^[0-9a-f-]{36}$/);
      assert.equal(machineKey(path.join(folder, 'not', 'there', 'yet')), name);
      assert.notEqual(machineKey(folder), name);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is one secret', async () => {
    const secrets = new Map<string, string>();
    const store = secretSessionStore(
      {
        get: (key) => Promise.resolve(secrets.get(key)),
        store: (key, value) => {
          secrets.set(key, value);
          return Promise.resolve();
        },
        delete: (key) => {
          secrets.delete(key);
          return Promise.resolve();
        },
      },
      'session:x',
    );
    await store.write('text');
    assert.deepEqual([...secrets], [['session:x', 'text']]);
    assert.equal(await store.read(), 'text');
    await store.clear();
    assert.equal(await store.read(), undefined);
  });
});

describe('the way to sign in', () => {
  const local = { ui: 'desktop', remoteName: undefined } as const;
  const ssh = { ui: 'desktop', remoteName: 'ssh-remote' } as const;

  it('comes back to this machine only where the browser is on it', () => {
    assert.deepEqual(signInFlows(local, 'auto'), ['loopback', 'uriHandler', 'deviceCode']);
    for (const remoteName of ['ssh-remote', 'wsl', 'dev-container', 'tunnel']) {
      assert.deepEqual(signInFlows({ ui: 'desktop', remoteName }, 'auto'), ['uriHandler', 'deviceCode']);
    }
    assert.deepEqual(signInFlows({ ui: 'web', remoteName: undefined }, 'auto'), ['deviceCode']);
    assert.deepEqual(signInFlows({ ui: 'web', remoteName: 'localhost' }, 'auto'), ['deviceCode']);
  });

  it('can be chosen, and the others stay ways out', () => {
    assert.deepEqual(signInFlows(ssh, 'deviceCode'), ['deviceCode']);
    assert.deepEqual(signInFlows(ssh, 'loopback'), ['loopback', 'uriHandler', 'deviceCode']);
    assert.deepEqual(signInFlows(local, 'uriHandler'), ['uriHandler', 'deviceCode']);
    assert.deepEqual(signInFlows({ ui: 'web', remoteName: undefined }, 'loopback'), [
      'loopback',
      'deviceCode',
    ]);
  });

  it('is the usual one where the setting says something else than a way', () => {
    assert.equal(readWantedFlow('deviceCode'), 'deviceCode');
    for (const other of ['carrier pigeon', 3, undefined]) assert.equal(readWantedFlow(other), 'auto');
  });
});
