import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import fc from 'fast-check';

import { hostTrust } from '../../../src/databricks/index.ts';
import { CancelledError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { secretAccountStores } from '../../../src/extension/authentication/secret-session-store.ts';
import { Connection, type ConnectionState } from '../../../src/extension/connection/connection.ts';
import { PinBoard } from '../../../src/extension/connection/pinned-trust.ts';
import { personOf } from '../../../src/extension/injection/person.ts';
import {
  accountKey,
  type AccountStores,
  type DiscoveredIdentityProvider,
  ensureSealingKey,
  fileRefreshLock,
  memoryAccountStores,
  sealedAccountStores,
  type Seat,
  type Secrets,
  type Session,
} from '../../../src/identity/index.ts';
import { refreshSession } from '../../../src/identity/refresh.ts';
import { parseSession } from '../../../src/identity/session.ts';
import {
  PEOPLE,
  type Person,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { configurationOf, discover, signIn } from '../identity/sign-in.ts';
import { runs } from '../../reporting/properties.ts';

const ROTATIONS = Number(process.env['OAM_ROTATIONS'] ?? 10);

interface Window {
  readonly connection: Connection;
  readonly states: ConnectionState[];
  signIn(person: Person, seat: Seat): Promise<Session>;
  acting(): string | undefined;
}

describe('several accounts in two windows', function () {
  this.timeout(60_000);
  let idp: RunningIdentityProvider;
  let discovered: DiscoveredIdentityProvider;
  let folder: string;
  let aheadMs: number;
  let stores: AccountStores;
  let pins: PinBoard;
  let first: Window;
  let second: Window;

  before(async () => {
    idp = await startIdentityProvider();
    discovered = await discover(idp);
  });
  after(() => idp.close());
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'oam-accounts-'));
    aheadMs = 0;
    stores = memoryAccountStores();
    const memory = new Map<string, unknown>();
    pins = new PinBoard({
      get: (key) => memory.get(key),
      update: (key, value) => Promise.resolve(void memory.set(key, value)),
    });
    first = await openWindow();
    second = await openWindow();
  });
  // A sign-out looks after what other windows may store, and nobody waits for that.
  afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  async function openWindow(over = stores): Promise<Window> {
    const configuration = {
      ...{ product: 'databricks-ml-oam', version: '1', workspaces: [] },
      identity: configurationOf(idp),
    };
    const connection = new Connection({
      trust: () => hostTrust([]),
      address: () => 'https://oam.example.com',
      pins,
      stores: () => over,
      lock: (account = '') => fileRefreshLock(path.join(folder, account)),
      transport: () => Promise.resolve({ status: 200, headers: {}, text: JSON.stringify(configuration) }),
      confirmChange: () => Promise.resolve(false),
      clock: { nowMs: () => Date.now() + aheadMs },
      logger: silentLogger,
      redactor: createRedactor(),
    });
    const states: ConnectionState[] = [];
    connection.onDidChange((state) => states.push(state));
    await connection.start();
    return {
      connection,
      states,
      signIn: (person, seat) =>
        connection.signIn((provider) => signIn(provider, person), new AbortController().signal, seat),
      acting: () => (connection.state.kind === 'signedIn' ? connection.state.session.userName : undefined),
    };
  }

  const keyOf = (person: Person): string => accountKey({ iss: idp.issuer, sub: person.sub });
  const known = ({ connection }: Window): string[] => connection.accounts.map(({ userName }) => userName);
  const storedOf = async (person: Person): Promise<Session> => {
    const session = parseSession((await stores.session(keyOf(person)).read()) ?? '');
    assert(session !== undefined);
    return session;
  };

  /** The provider is told by the way: a sign-out does not wait for it. */
  async function endsAtProvider(session: Session): Promise<void> {
    await assert.rejects(
      async () => {
        for (let token = session; ;) token = await refreshSession(discovered, token);
      },
      { code: 'session_expired' },
    );
  }

  it('act as one person, and go back to another without a sign-in', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    await second.connection.storeChanged();
    assert(first.connection.state.kind === 'signedIn');
    const ofAna = first.connection.state.client;
    await first.signIn(PEOPLE.lena, 'acts');
    await second.connection.storeChanged();
    for (const window of [first, second]) {
      assert.equal(window.acting(), PEOPLE.lena.userName);
      assert.deepEqual(known(window), [PEOPLE.lena.userName, PEOPLE.ana.userName]);
    }
    await assert.rejects(ofAna.call('getMe'), { code: 'principal_changed' });

    await second.connection.switchTo(keyOf(PEOPLE.ana));
    await first.connection.storeChanged();
    for (const window of [first, second]) assert.equal(window.acting(), PEOPLE.ana.userName);
    await assert.doesNotReject(refreshSession(discovered, await storedOf(PEOPLE.lena)));
    // Addresses of programs end when the person is another one. Nobody is ever shown to be signed out in between.
    for (const { states } of [first, second]) {
      const people = states.map(personOf).filter(({ kind }) => kind !== 'restoring');
      assert.equal(people.filter(({ kind }) => kind === 'nobody').length, 1, 'before the first sign-in only');
      assert.deepEqual(
        people.flatMap((person) => (person.kind === 'signedIn' ? [person.principal.sub] : [])),
        [PEOPLE.ana.sub, PEOPLE.lena.sub, PEOPLE.ana.sub],
      );
    }
  });

  it('show both to other extensions, and let one be added without acting', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    await first.signIn(PEOPLE.lena, 'isAdded');
    assert.equal(first.acting(), PEOPLE.ana.userName);
    assert.deepEqual(known(first), [PEOPLE.ana.userName, PEOPLE.lena.userName]);
    assert(first.connection.accounts.every(({ session }) => session !== undefined));
    const third = await openWindow();
    assert.equal(third.acting(), PEOPLE.ana.userName);
    assert.deepEqual(known(third), known(first));
  });

  it('end the former person in all windows where somebody takes their place', async () => {
    const ana = await first.signIn(PEOPLE.ana, 'replaces');
    await first.signIn(PEOPLE.omar, 'isAdded');
    await second.connection.storeChanged();
    const told: string[] = [];
    second.connection.onDidChange((state) => told.push(personOf(state).kind));
    await first.signIn(PEOPLE.lena, 'replaces');
    await second.connection.storeChanged();
    for (const window of [first, second]) {
      assert.deepEqual(known(window), [PEOPLE.lena.userName, PEOPLE.omar.userName]);
    }
    assert.deepEqual(told, ['signedIn']);
    assert.equal(await stores.session(keyOf(PEOPLE.ana)).read(), undefined);
    await endsAtProvider(ana);
    await assert.doesNotReject(refreshSession(discovered, await storedOf(PEOPLE.omar)));
  });

  it('sign out one account only', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    const lena = await first.signIn(PEOPLE.lena, 'isAdded');
    await second.connection.storeChanged();
    await second.connection.signOut(keyOf(PEOPLE.lena));
    await first.connection.storeChanged();
    for (const window of [first, second]) {
      assert.equal(window.acting(), PEOPLE.ana.userName);
      assert.deepEqual(known(window), [PEOPLE.ana.userName]);
    }
    await endsAtProvider(lena);
    await assert.doesNotReject(refreshSession(discovered, await storedOf(PEOPLE.ana)));
  });

  it('leave nothing behind at a sign-out that a refresh of another window writes over', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    const arrived = Promise.withResolvers<undefined>();
    const gate = Promise.withResolvers<undefined>();
    const late = await openWindow({
      ...stores,
      session: (account) => ({
        ...stores.session(account),
        async write(value) {
          arrived.resolve(undefined);
          await gate.promise;
          await stores.session(account).write(value);
        },
      }),
    });
    aheadMs = 570_000;
    const refreshed = late.connection.refresh();
    await arrived.promise;
    await first.connection.signOut();
    gate.resolve(undefined);
    await refreshed;
    const ofAna = stores.session(keyOf(PEOPLE.ana));
    for (let look = 0; look < 250 && (await ofAna.read()) !== undefined; look++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(await ofAna.read(), undefined);
    await late.connection.storeChanged();
    assert.equal(late.connection.state.kind, 'signedOut');
    // The window that signed out takes a new sign-in, and does not end it.
    aheadMs = 0;
    await first.signIn(PEOPLE.ana, 'replaces');
    assert.notEqual(await ofAna.read(), undefined);
  });

  it('let nobody act after a sign-out, until one is switched to', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    await first.signIn(PEOPLE.lena, 'acts');
    const signedOut = first.connection.signOut();
    assert.equal(first.connection.state.kind, 'signedOut', 'in the very call');
    await signedOut;
    await second.connection.storeChanged();
    assert.equal(second.connection.state.kind, 'signedOut');
    await assert.rejects(second.connection.subjectToken(), { code: 'not_signed_in' });
    await second.connection.switchTo(keyOf(PEOPLE.ana));
    assert.equal(second.acting(), PEOPLE.ana.userName);
  });

  it('refresh each account by itself, again and again, without one sign-out', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    await first.signIn(PEOPLE.lena, 'isAdded');
    await second.connection.storeChanged();
    const seen = new Set<string>();
    for (let round = 0; round < ROTATIONS; round++) {
      // Tokens live ten minutes; the provider knows only the real time.
      aheadMs = 570_000;
      await Promise.all([first, second].map(({ connection }) => connection.refresh()));
      for (const { session } of first.connection.accounts) seen.add(session?.accessToken ?? 'none');
      aheadMs = 0;
    }
    assert(!seen.has('none'));
    assert(seen.size >= 2 * ROTATIONS, `${seen.size} tokens`);
    for (const window of [first, second]) assert.equal(window.acting(), PEOPLE.ana.userName);
  });

  it('know an account whose session the provider has ended, and do not switch to it', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    await first.signIn(PEOPLE.lena, 'isAdded');
    await idp.revokeSessions(PEOPLE.lena.sub);
    aheadMs = 570_000;
    await assert.rejects(first.connection.refresh(), { code: 'session_expired' });
    aheadMs = 0;
    assert.equal(first.acting(), PEOPLE.ana.userName);
    assert.equal(first.connection.accounts[1]?.session, undefined);
    await assert.rejects(first.connection.switchTo(keyOf(PEOPLE.lena)), { code: 'session_expired' });
    assert.equal(first.acting(), PEOPLE.ana.userName);
    assert.equal((await first.signIn(PEOPLE.lena, 'acts')).userName, PEOPLE.lena.userName);
    assert.equal(first.acting(), PEOPLE.lena.userName);
  });

  it('agree on one person though both windows switch at once', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    await first.signIn(PEOPLE.lena, 'isAdded');
    await first.signIn(PEOPLE.omar, 'isAdded');
    await second.connection.storeChanged();
    for (let round = 0; round < 10; round++) {
      await Promise.all([
        first.connection.switchTo(keyOf(PEOPLE.lena)),
        second.connection.switchTo(keyOf(PEOPLE.omar)),
        first.connection.storeChanged(),
      ]);
      await Promise.all([first, second].map(({ connection }) => connection.storeChanged()));
      assert.equal(first.acting(), second.acting());
      assert.equal(first.connection.accounts.length, 3);
    }
  });

  it('lose no account though both windows sign somebody in at once', async () => {
    await Promise.all([first.signIn(PEOPLE.ana, 'isAdded'), second.signIn(PEOPLE.lena, 'isAdded')]);
    await Promise.all([first, second].map(({ connection }) => connection.storeChanged()));
    for (const window of [first, second]) {
      assert.deepEqual(known(window).sort(), [PEOPLE.ana.userName, PEOPLE.lena.userName].sort());
    }
    assert.equal(first.acting(), second.acting());
  });

  it('forget at the provider what a sign-in brings after the address was changed', async () => {
    const brought = Promise.withResolvers<Session>();
    const signingIn = first.connection.signIn(async (provider) => {
      const session = await signIn(provider, PEOPLE.ana);
      await first.connection.start();
      brought.resolve(session);
      return session;
    }, new AbortController().signal);
    await assert.rejects(signingIn, CancelledError);
    await endsAtProvider(await brought.promise);
  });

  it('believe nothing that is stored in the place of the list', async () => {
    await first.signIn(PEOPLE.ana, 'replaces');
    const key = keyOf(PEOPLE.ana);
    const account = { key, iss: idp.issuer, sub: PEOPLE.ana.sub, userName: 'x' };
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.json(),
          // Somebody else's session under her name, and an acting account that is not listed.
          fc.constant(JSON.stringify({ acting: key, accounts: [{ ...account, sub: PEOPLE.lena.sub }] })),
          fc.constant(JSON.stringify({ acting: 'nobody', accounts: [account] })),
        ),
        async (text) => {
          await stores.list.write(text);
          const third = await openWindow();
          assert.equal(third.connection.state.kind, 'signedOut');
        },
      ),
      { numRuns: runs(50) },
    );
  });

  it('are seen by both pages of a browser, also an account that was added after they were opened', async () => {
    const kept = new Map<string, string>();
    const page = (): Secrets => {
      const copy = new Map(kept);
      return {
        get: (name) => Promise.resolve(copy.get(name)),
        store: (name, value) => Promise.resolve(void (copy.set(name, value), kept.set(name, value))),
        delete: (name) => Promise.resolve(void (copy.delete(name), kept.delete(name))),
      };
    };
    const openPage = async (): Promise<Window> => {
      const of = { secrets: page(), machine: 'm' };
      await ensureSealingKey(of);
      return openWindow(sealedAccountStores({ ...of, folder: path.join(folder, 'sealed'), key: 'k' }));
    };
    const one = await openPage();
    const other = await openPage();
    await one.signIn(PEOPLE.ana, 'replaces');
    await one.signIn(PEOPLE.lena, 'acts');
    await other.connection.storeChanged();
    assert.equal(other.acting(), PEOPLE.lena.userName);
    await other.connection.switchTo(keyOf(PEOPLE.ana));
    assert.equal(other.acting(), PEOPLE.ana.userName);
  });

  it('have a secret each on a desktop', async () => {
    const kept = new Map<string, string>();
    const secrets: Secrets = {
      get: (name) => Promise.resolve(kept.get(name)),
      store: (name, value) => Promise.resolve(void kept.set(name, value)),
      delete: (name) => Promise.resolve(void kept.delete(name)),
    };
    const desktop = await openWindow(secretAccountStores(secrets, 'session:m:p'));
    await desktop.signIn(PEOPLE.ana, 'replaces');
    await desktop.signIn(PEOPLE.lena, 'isAdded');
    assert.deepEqual(
      [...kept.keys()].sort(),
      ['session:m:p', `session:m:p:${keyOf(PEOPLE.ana)}`, `session:m:p:${keyOf(PEOPLE.lena)}`].sort(),
    );
    assert(!(kept.get('session:m:p') ?? '').includes('oken'), 'no secret is in the list');
    await desktop.connection.signOut();
    await desktop.connection.signOut(keyOf(PEOPLE.lena));
    assert.deepEqual([...kept.keys()], []);
  });
});
