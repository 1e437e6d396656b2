import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import fc from 'fast-check';

import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import {
  machineKey,
  secretSessionStore,
  sessionKey,
} from '../../../src/extension/authentication/secret-session-store.ts';
import { chooseFlow } from '../../../src/extension/authentication/sign-in-flow.ts';
import { errorWords } from '../../../src/extension/commands/error-words.ts';
import { SingleFlight } from '../../../src/extension/commands/single-flight.ts';
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
import { createChannelLogger } from '../../../src/extension/logging/log-channel.ts';
import { dueWarnings } from '../../../src/extension/status-bar/expiry-warnings.ts';
import { statusWords } from '../../../src/extension/status-bar/status-words.ts';
import { memorySessionStore, processRefreshLock, type Session } from '../../../src/identity/index.ts';
import { ControlPlaneError } from '../../../src/protocol/client.ts';
import type { HttpTransport } from '../../../src/protocol/transport.ts';
import { startIdentityProvider } from '../../../src/sandbox/identity-provider/index.ts';
import { english } from './localise.ts';
import { aGrant, DEV, PROD } from './views.ts';

const TRUST: PinnedTrust = {
  identity: {
    issuer: 'https://idp.example.com',
    clientId: 'oam-editor',
    audience: 'urn:oam:control-plane',
    scopes: ['openid', 'offline_access'],
  },
  workspaces: [PROD, DEV],
};

const SESSION: Session = {
  issuer: TRUST.identity.issuer,
  subject: 'ana',
  userName: 'ana@example.com',
  displayName: 'Ana',
  accessToken: 'access-token-of-ana',
  accessTokenExpiresAtMs: 1_000_000,
  idToken: 'id-token-of-ana',
  idTokenExpiresAtMs: 1_000_000,
  refreshToken: 'refresh-token-of-ana',
};

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
    const store = memorySessionStore();
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
      address: () => change.address ?? URL_OF_PLANE,
      pins,
      store: () => Promise.resolve(store),
      lock: processRefreshLock(),
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
      if (change.session !== undefined) await store.write(JSON.stringify(change.session));
      await connection.start();
    };
    return { connection, pins, store, asked, questions, states, start };
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
    const signedIn = connectionWith({ pinned: TRUST, session: SESSION });
    await signedIn.start();
    assert(signedIn.connection.state.kind === 'signedIn');
    assert.equal(signedIn.connection.state.session.subject, 'ana');
    assert.deepEqual([...none.asked, ...out.asked, ...signedIn.asked], []);
  });

  it('is signed in where the identity provider is away: what is kept is kept', async () => {
    const { connection, start } = connectionWith({ pinned: TRUST, session: SESSION });
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
      session: { ...SESSION, issuer: 'https://127.0.0.1:1' },
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
      const { connection, pins, store, questions, start } = connectionWith({ offered });
      await start();
      assert.equal(connection.pinned, undefined);
      const session = { ...SESSION, issuer: provider.issuer };
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

  it('names a machine once, whoever asks first', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'oam-machine-'));
    try {
      const names = await Promise.all([machineKey(folder), machineKey(folder), machineKey(folder)]);
      assert.equal(new Set(names).size, 1);
      assert.match(names[0] ?? '', /^[0-9a-f-]{36}$/);
      assert.equal(await machineKey(folder), names[0]);
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
  it('comes back to this machine only where the browser is on it', () => {
    assert.equal(chooseFlow({ ui: 'desktop', remoteName: undefined }), 'loopback');
    assert.equal(chooseFlow({ ui: 'desktop', remoteName: 'ssh-remote' }), 'deviceCode');
    assert.equal(chooseFlow({ ui: 'web', remoteName: undefined }), 'deviceCode');
    assert.equal(chooseFlow({ ui: 'web', remoteName: 'localhost' }), 'deviceCode');
  });
});

describe('errors', () => {
  it('are a sentence with the next step, then what differs, and a button', () => {
    const away = new OamError('unreachable', 'The server could not be reached. Check it.', {
      detail: 'host',
    });
    assert.deepEqual(errorWords(english, away), {
      message: 'The server could not be reached. Check it. (host)',
      remedy: 'retry',
    });
    assert.equal(errorWords(english, new OamError('session_expired', 'Ended.')).remedy, 'signIn');
    assert.equal(errorWords(english, new OamError('untrusted_host', 'No.')).remedy, 'trustHosts');
  });

  it('carry the reasons of policy, none of them twice', () => {
    const refusal = new ControlPlaneError({
      type: 'urn:oam:problem:refused_by_policy',
      title: 'Refused',
      status: 403,
      code: 'refused_by_policy',
      detail: 'Policy refuses this. Other team.',
      explanation: ['Other team.', 'Leads of platform may.'],
    });
    assert.equal(
      errorWords(english, refusal).message,
      'Policy refuses this. Other team. Leads of platform may.',
    );
  });

  it('of our own making do not show their insides', () => {
    const words = errorWords(english, new TypeError("Cannot read 'secret' of undefined"));
    assert.doesNotMatch(words.message, /secret/);
    assert.equal(words.remedy, 'showLog');
  });
});

describe('a second click', () => {
  it('does nothing twice, and the button is grey meanwhile', async () => {
    const states: string[] = [];
    const flight = new SingleFlight((key, isRunning) => states.push(`${key} ${String(isRunning)}`));
    const gate = Promise.withResolvers<undefined>();
    let runs = 0;
    const work = async (): Promise<void> => {
      runs++;
      await gate.promise;
    };
    const both = Promise.all([flight.run('a', work), flight.run('a', work)]);
    gate.resolve(undefined);
    await both;
    assert.equal(runs, 1);
    assert.deepEqual(states, ['a true', 'a false']);
    await flight.run('a', work);
    assert.equal(runs, 2);
  });

  it('gets the error of the first one, and the next one may run', async () => {
    const flight = new SingleFlight();
    await assert.rejects(flight.run('a', () => Promise.reject(new Error('no'))));
    let ran = false;
    await flight.run('a', () => {
      ran = true;
      return Promise.resolve();
    });
    assert(ran);
  });
});

describe('the log', () => {
  it('holds no secret, whatever is written', () => {
    const redactor = createRedactor();
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const logger = createChannelLogger({ debug: write, info: write, warn: write, error: write }, redactor);
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{12,60}$/), fc.string(), (secret, text) => {
        lines.length = 0;
        const mask = redactor.register(secret);
        for (const level of ['debug', 'info', 'warn', 'error'] as const) {
          logger[level](`${text} ${secret}`, { error: `x${secret}y` });
        }
        assert.equal(lines.length, 4);
        assert(lines.every((line) => !line.includes(secret)));
        mask[Symbol.dispose]();
      }),
    );
  });
});

describe('the status bar', () => {
  const NOW = Date.parse('2026-11-23T10:30:05.000Z');

  it('says where to sign in, where one works, and what ends next', () => {
    const signedOut = { kind: 'signedOut', url: 'https://a', expired: false } as const;
    assert.equal(statusWords(english, signedOut, [], [], NOW)?.text, '$(key) OAM: sign in');
    const signedIn: ConnectionState = {
      kind: 'signedIn',
      url: 'https://a',
      trust: TRUST,
      session: SESSION,
      client: { call: () => assert.fail('not called') },
    };
    const active = { kind: 'active', workspace: PROD } as const;
    const later = aGrant({ id: 'g2', endsAt: '2026-11-23T12:00:00.000Z' });
    const words = statusWords(english, signedIn, [active], [later, aGrant()], NOW);
    assert.equal(words?.text, '$(key) ml-prod · 30 min left');
    assert(words.tooltip.includes('Signed in as ana@example.com'));
    assert.equal(statusWords(english, { kind: 'notConfigured', error: undefined }, [], [], NOW), undefined);
  });

  it('warns 15 and 5 minutes ahead, once, and not at windows that are hardly longer', () => {
    const given = new Set<string>();
    const due = (minutesLeft: number, minutes = 60): number =>
      dueWarnings(
        [aGrant({ minutes })],
        Date.parse('2026-11-23T11:00:05.000Z') - minutesLeft * 60_000,
        (key) => given.has(key),
      ).map(({ key }) => given.add(key)).length;
    assert.equal(due(16), 0);
    assert.equal(due(15), 1);
    assert.equal(due(14), 0);
    assert.equal(due(5), 1);
    assert.equal(due(4), 0);
    given.clear();
    assert.equal(due(15, 20), 0);
    assert.equal(due(5, 20), 1);
    given.clear();
    assert.equal(due(1, 5), 0);
    assert.equal(due(0), 0);
  });
});
