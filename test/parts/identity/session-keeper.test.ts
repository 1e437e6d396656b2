import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import fc from 'fast-check';

import { CancelledError, hasCode } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import {
  createSessionKeeper,
  fileRefreshLock,
  memorySessionStore,
  principalOf,
  processRefreshLock,
  type DiscoveredIdentityProvider,
  type Session,
  type SessionKeeper,
  type SessionKeeperOptions,
} from '../../../src/identity/index.ts';
import { refreshSession } from '../../../src/identity/refresh.ts';
import { parseSession, serializeSession } from '../../../src/identity/session.ts';
import {
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { claimsOf, discover, signIn } from './sign-in.ts';

/** The real time, moved by hand: tokens are issued by a provider that knows only the real one. */
function movableClock(): { nowMs(): number; aheadMs: number } {
  return {
    aheadMs: 0,
    nowMs() {
      return Date.now() + this.aheadMs;
    },
  };
}

const expired = (error: unknown): boolean => hasCode(error, 'session_expired');
const notSignedIn = (error: unknown): boolean => hasCode(error, 'not_signed_in');
const unavailable = (error: unknown): boolean => hasCode(error, 'identity_provider_unavailable');

describe('the session keeper', () => {
  let idp: RunningIdentityProvider;
  let discovered: DiscoveredIdentityProvider;
  let clock: ReturnType<typeof movableClock>;
  let store: ReturnType<typeof memorySessionStore>;
  let session: Session;

  before(async () => {
    idp = await startIdentityProvider();
    discovered = await discover(idp);
  });
  after(() => idp.close());
  beforeEach(async () => {
    clock = movableClock();
    store = memorySessionStore();
    session = await signIn(discovered, PEOPLE.ana);
  });

  const keeperWith = (changes: Partial<SessionKeeperOptions> = {}): SessionKeeper =>
    createSessionKeeper({
      store,
      lock: processRefreshLock(),
      identityProvider: () => Promise.resolve(discovered),
      clock,
      logger: silentLogger,
      redactor: createRedactor(),
      random: () => 0,
      ...changes,
    });

  /** Ten minutes of life: half a minute before the end of the access token, five after that of the ID token. */
  const nearTheEnd = (): void => {
    clock.aheadMs = 570_000;
  };

  const stored = async (): Promise<Session | undefined> => parseSession((await store.read()) ?? '');

  it('says that nobody is signed in, without the network', async () => {
    const keeper = keeperWith({ identityProvider: () => assert.fail('the network was asked') });
    assert.equal(await keeper.current(), undefined);
    await assert.rejects(keeper.accessToken(), notSignedIn);
    await assert.rejects(keeper.subjectToken(), notSignedIn);
  });

  it('finds the session of an earlier run, without the network', async () => {
    await store.write(serializeSession(session));
    const keeper = keeperWith({ identityProvider: () => assert.fail('the network was asked') });
    assert.deepEqual(await keeper.current(), parseSession(serializeSession(session)));
    assert.equal(await keeper.accessToken(), session.accessToken);
    assert.deepEqual(await keeper.subjectToken(), {
      token: session.idToken,
      expiresAtMs: session.idTokenExpiresAtMs,
      principal: principalOf(session),
    });
  });

  it('reads anything out of the store without falling over', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        const broken = memorySessionStore();
        await broken.write(text);
        assert.equal(await keeperWith({ store: broken }).current(), undefined);
      }),
    );
  });

  it('refreshes each token a minute before its end, and no sooner', async () => {
    const keeper = keeperWith();
    await keeper.accept(session);
    clock.aheadMs = session.accessTokenExpiresAtMs - Date.now() - 65_000;
    assert.equal(await keeper.accessToken(), session.accessToken);
    clock.aheadMs += 10_000;
    const renewed = await keeper.accessToken();
    assert.notEqual(renewed, session.accessToken);
    assert.equal(claimsOf(renewed)['sub'], PEOPLE.ana.sub);
  });

  it('refreshes in each window by another while earlier, half a minute at most', async () => {
    const dueAt = async (random: number): Promise<number | undefined> => {
      const keeper = keeperWith({ random: () => random });
      assert.equal(keeper.refreshAtMs, undefined);
      await keeper.accept(session);
      return keeper.refreshAtMs;
    };
    assert.equal(await dueAt(0), session.accessTokenExpiresAtMs - 60_000);
    assert.equal(await dueAt(0.999), session.accessTokenExpiresAtMs - 89_970);
    const early = keeperWith({ random: () => 0.5 });
    await early.accept(session);
    clock.aheadMs = session.accessTokenExpiresAtMs - Date.now() - 70_000;
    assert.notEqual(await early.accessToken(), session.accessToken);
  });

  it('refreshes a token that lives shortly at half its life', async () => {
    const brief = await startIdentityProvider({ accessTokenSeconds: 40, idTokenSeconds: 40 });
    try {
      const provider = await discover(brief);
      const keeper = keeperWith({ identityProvider: () => Promise.resolve(provider) });
      const short = await signIn(provider, PEOPLE.ana);
      await keeper.accept(short);
      clock.aheadMs = 10_000;
      await keeper.subjectToken();
      assert.equal((await stored())?.refreshToken, short.refreshToken);
      clock.aheadMs = 25_000;
      await keeper.subjectToken();
      assert.notEqual((await stored())?.refreshToken, short.refreshToken);
    } finally {
      await brief.close();
    }
  });

  it('goes through rotation after rotation, stores each, and tells of each', async () => {
    const keeper = keeperWith();
    const heard: (Session | undefined)[] = [];
    keeper.onDidChange((changed) => heard.push(changed));
    await keeper.accept(session);
    const seen = new Set([session.refreshToken]);
    for (let round = 0; round < 3; round += 1) {
      nearTheEnd();
      await keeper.accessToken();
      seen.add((await stored())?.refreshToken);
      const now = await keeper.current();
      assert.deepEqual(now && parseSession(serializeSession(now)), await stored());
    }
    assert.equal(seen.size, 4);
    assert.equal(heard.length, 4);
  });

  it('keeps a refresh token that the provider does not rotate', async () => {
    const steady = await startIdentityProvider({ rotateRefreshTokens: false });
    try {
      const provider = await discover(steady);
      const keeper = keeperWith({ identityProvider: () => Promise.resolve(provider) });
      const first = await signIn(provider, PEOPLE.ana);
      await keeper.accept(first);
      nearTheEnd();
      const second = await keeper.accessToken();
      const third = await keeper.accessToken();
      assert.equal(new Set([first.accessToken, second, third]).size, 3);
      assert.equal((await stored())?.refreshToken, first.refreshToken);
      assert.equal((await stored())?.accessToken, third);
    } finally {
      await steady.close();
    }
  });

  it('brings a new ID token for Databricks with the same claims', async () => {
    const keeper = keeperWith();
    await keeper.accept(session);
    clock.aheadMs = 250_000;
    const { token, expiresAtMs } = await keeper.subjectToken();
    const claims = claimsOf(token);
    // Within one second the provider signs the very same ID token, so the rotation is what tells.
    assert.notEqual((await stored())?.refreshToken, session.refreshToken);
    assert.equal(claims['aud'], 'oam-editor');
    assert.equal(claims['email'], PEOPLE.ana.userName);
    assert.deepEqual(claims['groups'], ['ml-recsys']);
    assert.equal(claims['duty'], 'data-scientist');
    assert.equal(expiresAtMs, Number(claims['exp']) * 1000);
  });

  it('brings changed groups with the next refresh, and a list that overflowed as such', async () => {
    try {
      const keeper = keeperWith();
      await keeper.accept(session);
      idp.setGroups(PEOPLE.ana.sub, ['ml-recsys', 'ml-new']);
      nearTheEnd();
      assert.deepEqual(claimsOf(await keeper.accessToken())['groups'], ['ml-recsys', 'ml-new']);
      idp.setGroups(PEOPLE.ana.sub, 'overflow');
      const overflowed = claimsOf(await keeper.accessToken());
      assert.equal(overflowed['groups'], undefined);
      assert.deepEqual(overflowed['_claim_names'], { groups: 'src1' });
      const id = claimsOf((await keeper.current())?.idToken ?? '');
      assert.deepEqual(id['_claim_names'], { groups: 'src1' });
      assert.equal(id['groups'], undefined);
    } finally {
      idp.setGroups(PEOPLE.ana.sub, PEOPLE.ana.groups);
    }
  });

  it('refreshes once, however many ask', async () => {
    let refreshes = 0;
    const keeper = keeperWith({
      identityProvider: () => {
        refreshes += 1;
        return Promise.resolve(discovered);
      },
    });
    await keeper.accept(session);
    nearTheEnd();
    const tokens = new Set(await Promise.all(Array.from({ length: 10 }, () => keeper.accessToken())));
    assert.equal(tokens.size, 1);
    assert.equal(refreshes, 1);
  });

  it('refreshes once for both doors', async () => {
    const even = await startIdentityProvider({ accessTokenSeconds: 300, idTokenSeconds: 300 });
    try {
      const provider = await discover(even);
      const keeper = keeperWith({ identityProvider: () => Promise.resolve(provider) });
      await keeper.accept(await signIn(provider, PEOPLE.ana));
      clock.aheadMs = 250_000;
      await Promise.all([keeper.accessToken(), keeper.subjectToken()]);
      clock.aheadMs = 0;
      // The provider would have revoked the whole family if one refresh token had been used twice.
      const now = await keeper.current();
      assert.ok(now);
      await assert.doesNotReject(refreshSession(provider, now));
    } finally {
      await even.close();
    }
  });

  describe('with several windows', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'oam-refresh-'));
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    it('lets one refresh and the others find what it brought', async () => {
      const windows = Array.from({ length: 4 }, () => keeperWith({ lock: fileRefreshLock(folder) }));
      await store.write(serializeSession(session));
      nearTheEnd();
      const tokens = await Promise.all(windows.map((window) => window.accessToken()));
      assert.equal(tokens.filter((token) => token !== session.accessToken).length, 4);
      // The provider revokes the whole family if a refresh token is used twice: the session would be over.
      clock.aheadMs = 0;
      await assert.doesNotReject(refreshSession(discovered, (await stored()) ?? session));
    });

    it('hears of a sign-out, a sign-in and a refresh elsewhere', async () => {
      const here = keeperWith();
      const there = keeperWith();
      await here.accept(session);
      await there.reload();
      assert.equal((await there.current())?.subject, PEOPLE.ana.sub);
      const heard: (string | undefined)[] = [];
      there.onDidChange((changed) => heard.push(changed?.userName));
      await here.signOut();
      await there.reload();
      await there.reload();
      await here.accept(await signIn(discovered, PEOPLE.lena));
      await there.reload();
      assert.deepEqual(heard, [undefined, PEOPLE.lena.userName]);
    });

    it('gives nobody the token of another person who has signed in elsewhere', async () => {
      const here = keeperWith();
      await here.accept(session);
      const ana = principalOf(session);
      await store.write(serializeSession(await signIn(discovered, PEOPLE.lena)));
      assert.equal(await here.accessToken(undefined, ana), session.accessToken);
      // Nobody said that the store has changed: the refresh finds it.
      nearTheEnd();
      await assert.rejects(here.accessToken(undefined, ana), { code: 'principal_changed' });
      assert.equal((await here.current())?.subject, PEOPLE.lena.sub);
      assert.ok(await here.accessToken());
    });

    it('reads again before it believes that the session is over', async () => {
      // A window on another machine shares the secret, but neither the lock nor the moment.
      const elsewhere = await refreshSession(discovered, session);
      nearTheEnd();
      const fresher = { ...elsewhere, accessTokenExpiresAtMs: clock.nowMs() + 600_000 };
      let reads = 0;
      const keeper = keeperWith({
        store: {
          ...store,
          read: () => Promise.resolve(serializeSession((reads += 1) <= 2 ? session : fresher)),
          clear: () => assert.fail('nobody signed out'),
        },
      });
      assert.equal(await keeper.accessToken(), elsewhere.accessToken);
      assert.equal(reads, 3);
    });

    it('does not come back to life when another window signed out during a refresh', async () => {
      const gate = Promise.withResolvers<undefined>();
      const asked = Promise.withResolvers<undefined>();
      const keeper = keeperWith({
        identityProvider: async () => {
          asked.resolve(undefined);
          await gate.promise;
          return discovered;
        },
      });
      await keeper.accept(session);
      nearTheEnd();
      const token = keeper.accessToken();
      await asked.promise;
      await store.clear();
      gate.resolve(undefined);
      await assert.rejects(token, notSignedIn);
      assert.equal(await store.read(), undefined);
      assert.equal(await keeper.current(), undefined);
      await assert.rejects(
        refreshSession(discovered, session),
        expired,
        'what the refresh brought is revoked',
      );
    });
  });

  describe('when the provider is down', () => {
    afterEach(() => {
      idp.resume();
    });

    it('hands out what still lives, then says so, and never signs out', async () => {
      const keeper = keeperWith();
      await keeper.accept(session);
      const heard: unknown[] = [];
      keeper.onDidChange((changed) => heard.push(changed));
      idp.pause();
      nearTheEnd();
      assert.equal(await keeper.accessToken(), session.accessToken);
      await assert.rejects(keeper.subjectToken(), unavailable, 'the ID token is over');
      clock.aheadMs = 700_000;
      await assert.rejects(keeper.accessToken(), unavailable);
      assert.equal((await keeper.current())?.subject, PEOPLE.ana.sub);
      assert.equal((await stored())?.refreshToken, session.refreshToken);
      assert.deepEqual(heard, []);
      idp.resume();
      clock.aheadMs = 570_000;
      assert.notEqual(await keeper.accessToken(), session.accessToken);
    });

    it('also when nobody listens there at all', async () => {
      const gone = await startIdentityProvider();
      const provider = await discover(gone);
      const theirs = await signIn(provider, PEOPLE.ana);
      await gone.close();
      const keeper = keeperWith({ identityProvider: () => Promise.resolve(provider) });
      await keeper.accept(theirs);
      clock.aheadMs = 700_000;
      await assert.rejects(keeper.accessToken(), unavailable);
      assert.ok(await stored());
    });

    it('signs out all the same', async () => {
      const keeper = keeperWith();
      await keeper.accept(session);
      idp.pause();
      await keeper.signOut();
      assert.equal(await store.read(), undefined);
      assert.equal(await keeper.current(), undefined);
    });
  });

  describe('with a provider that gives an ID token at sign-in only', () => {
    let sparing: RunningIdentityProvider;
    let provider: DiscoveredIdentityProvider;
    before(async () => {
      sparing = await startIdentityProvider({ idTokenOnRefresh: false });
      provider = await discover(sparing);
    });
    after(() => sparing.close());

    it('goes on at the control plane, and asks for a sign-in for Databricks when that token has run out', async () => {
      let refreshes = 0;
      const library = {
        ...provider.library,
        refreshTokenGrant: (...asked: Parameters<typeof provider.library.refreshTokenGrant>) => {
          refreshes += 1;
          return provider.library.refreshTokenGrant(...asked);
        },
      };
      const keeper = keeperWith({ identityProvider: () => Promise.resolve({ ...provider, library }) });
      const theirs = await signIn(provider, PEOPLE.ana);
      await keeper.accept(theirs);
      clock.aheadMs = theirs.idTokenExpiresAtMs - Date.now() - 30_000;
      assert.equal((await keeper.subjectToken()).token, theirs.idToken, 'it is good for half a minute more');
      assert.equal((await keeper.subjectToken()).token, theirs.idToken);
      assert.equal(refreshes, 1, 'what is not given is not asked for again and again');
      clock.aheadMs += 60_000;
      for (let round = 0; round < 3; round++) {
        await assert.rejects(keeper.subjectToken(), { code: 'databricks_sign_in_needed' });
      }
      assert.equal(refreshes, 1);
      assert.ok(await keeper.accessToken());
      assert.equal(keeper.state.kind, 'signed-in');

      clock.aheadMs = 0;
      const again = await signIn(provider, PEOPLE.ana);
      await keeper.accept(again);
      assert.equal((await keeper.subjectToken()).token, again.idToken);
    });

    it('asks for it too where the token had run out before anybody asked', async () => {
      const keeper = keeperWith({ identityProvider: () => Promise.resolve(provider) });
      await keeper.accept(await signIn(provider, PEOPLE.ana));
      clock.aheadMs = 570_000;
      await assert.rejects(keeper.subjectToken(), { code: 'databricks_sign_in_needed' });
      assert.ok(await keeper.accessToken());
    });
  });

  it('says that the session is over when the provider has ended it', async () => {
    const keeper = keeperWith();
    await keeper.accept(session);
    const heard: unknown[] = [];
    keeper.onDidChange((changed) => heard.push(changed));
    await idp.revokeSessions(PEOPLE.ana.sub);
    nearTheEnd();
    await assert.rejects(keeper.accessToken(), expired);
    assert.equal(await store.read(), undefined);
    assert.deepEqual(heard, [undefined]);
    await assert.rejects(keeper.accessToken(), expired, 'it still says why');
    await keeper.accept(await signIn(discovered, PEOPLE.ana));
    clock.aheadMs = 0;
    assert.ok(await keeper.accessToken());
  });

  it('signs out here first, and then at the provider', async () => {
    const keeper = keeperWith({
      identityProvider: async () => {
        assert.equal(await store.read(), undefined, 'the provider is told after the secret is gone');
        return discovered;
      },
    });
    await keeper.accept(session);
    const { atProvider } = await keeper.signOut();
    await assert.rejects(keeper.accessToken(), notSignedIn);
    assert.equal(await atProvider, true);
    await assert.rejects(refreshSession(discovered, session), expired);
  });

  describe('over a session of somebody else', () => {
    let lena: Session;
    beforeEach(async () => {
      lena = await signIn(discovered, PEOPLE.lena);
    });

    it('ends that one: in the store, here, and then at the provider', async () => {
      const order: string[] = [];
      const keeper = keeperWith({
        identityProvider: async () => {
          order.push(`provider, with ${(await stored())?.userName ?? 'nobody'} in the store`);
          return discovered;
        },
      });
      await keeper.accept(session);
      keeper.onDidChange((changed) => order.push(`here: ${changed?.userName ?? 'nobody'}`));
      const { formerAtProvider } = await keeper.accept(lena);
      assert.equal(await formerAtProvider, true);
      assert.deepEqual(order, [`here: ${lena.userName}`, `provider, with ${lena.userName} in the store`]);
      await assert.rejects(refreshSession(discovered, session), expired);
      await assert.doesNotReject(refreshSession(discovered, lena));
    });

    it('ends what another window had made of it', async () => {
      const renewed = await refreshSession(discovered, session);
      const keeper = keeperWith();
      await keeper.accept(session);
      await store.write(serializeSession(renewed));
      const { formerAtProvider } = await keeper.accept(lena);
      assert.equal(await formerAtProvider, true);
      await assert.rejects(refreshSession(discovered, renewed), expired);
    });

    it('ends what a refresh brings after it', async () => {
      const gate = Promise.withResolvers<undefined>();
      const asked = Promise.withResolvers<undefined>();
      const brought: Session[] = [];
      const library = {
        ...discovered.library,
        refreshTokenGrant: async (...given: Parameters<typeof discovered.library.refreshTokenGrant>) => {
          const answer = await discovered.library.refreshTokenGrant(...given);
          brought.push({ ...session, refreshToken: answer.refresh_token });
          asked.resolve(undefined);
          await gate.promise;
          return answer;
        },
      };
      const keeper = keeperWith({ identityProvider: () => Promise.resolve({ ...discovered, library }) });
      await keeper.accept(session);
      nearTheEnd();
      const token = keeper.accessToken(undefined, principalOf(session));
      await asked.promise;
      clock.aheadMs = 0;
      await keeper.accept(lena);
      gate.resolve(undefined);
      await assert.rejects(token, { code: 'principal_changed' });
      assert.equal((await stored())?.userName, lena.userName);
      assert.equal(brought.length, 1);
      for (const late of brought) await assert.rejects(refreshSession(discovered, late), expired);
    });

    it('leaves everything as it was where it cannot be kept', async () => {
      const full = { ...store, write: (text: string) => store.write(text) };
      const keeper = keeperWith({ store: full });
      await keeper.accept(session);
      full.write = () => Promise.reject(new Error('locked'));
      await assert.rejects(keeper.accept(lena), { code: 'session_not_kept' });
      assert.equal((await keeper.current())?.userName, session.userName);
      await assert.doesNotReject(refreshSession(discovered, session));
    });

    it('ends nothing of the same person, whose new tokens would end with the old ones', async () => {
      const again = await signIn(discovered, PEOPLE.ana);
      const keeper = keeperWith({ identityProvider: () => assert.fail('the provider was asked') });
      await keeper.accept(session);
      const { formerAtProvider } = await keeper.accept(again);
      assert.equal(await formerAtProvider, false);
      await assert.doesNotReject(refreshSession(discovered, again));
    });
  });

  it('is signed out before anything is waited for, and stays so though the store cannot be cleared', async () => {
    const keeper = keeperWith({ store: { ...store, clear: () => Promise.reject(new Error('locked')) } });
    await keeper.accept(session);
    const heard: unknown[] = [];
    keeper.onDidChange((changed) => heard.push(changed));
    const signedOut = keeper.signOut();
    assert.deepEqual(heard, [undefined]);
    assert.deepEqual(keeper.state, { kind: 'signed-out' });
    await assert.rejects(signedOut, { code: 'session_not_deleted' });
    await assert.rejects(
      refreshSession(discovered, session),
      expired,
      'what is left behind is worth nothing',
    );
    await keeper.reload();
    await assert.rejects(keeper.accessToken(), notSignedIn);
    await keeper.accept(await signIn(discovered, PEOPLE.ana));
    assert.ok(await keeper.accessToken());
  });

  it('tells the store of a change though a listener fails', async () => {
    const keeper = keeperWith();
    await keeper.accept(session);
    keeper.onDidChange(() => {
      throw new Error('a view that cannot be drawn');
    });
    let told = false;
    keeper.onDidChange(() => (told = true));
    nearTheEnd();
    const token = await keeper.accessToken();
    assert.equal((await stored())?.accessToken, token);
    assert(told);
  });

  it('says so where a sign-in cannot be kept', async () => {
    const keeper = keeperWith({ store: { ...store, write: () => Promise.reject(new Error('locked')) } });
    await assert.rejects(keeper.accept(session), { code: 'session_not_kept' });
  });

  it('ends a refresh that a sign-out overtook', async () => {
    const gate = Promise.withResolvers<undefined>();
    const keeper = keeperWith({
      identityProvider: async () => {
        await gate.promise;
        return discovered;
      },
    });
    await keeper.accept(session);
    nearTheEnd();
    const token = keeper.accessToken();
    const signedOut = keeper.signOut();
    gate.resolve(undefined);
    await assert.rejects(token, (error) => notSignedIn(error) || expired(error));
    await signedOut;
    assert.equal(await store.read(), undefined);
    assert.equal(await keeper.current(), undefined);
  });

  it('stops waiting when cancelled, and stores what the refresh brought all the same', async () => {
    const gate = Promise.withResolvers<undefined>();
    const keeper = keeperWith({
      identityProvider: async () => {
        await gate.promise;
        return discovered;
      },
    });
    await keeper.accept(session);
    const changed = Promise.withResolvers<Session | undefined>();
    keeper.onDidChange(changed.resolve);
    nearTheEnd();
    const cancel = new AbortController();
    const token = keeper.accessToken(cancel.signal);
    cancel.abort();
    await assert.rejects(token, CancelledError);
    gate.resolve(undefined);
    assert.notEqual((await changed.promise)?.refreshToken, session.refreshToken);
    assert.notEqual(await keeper.accessToken(), session.accessToken);
    assert.notEqual((await stored())?.refreshToken, session.refreshToken);
  });

  it('goes on with a store that cannot be written any more', async () => {
    const readOnly = { ...store, write: (text: string) => store.write(text) };
    const keeper = keeperWith({ store: readOnly });
    await keeper.accept(session);
    readOnly.write = () => Promise.reject(new Error('disk full'));
    nearTheEnd();
    const first = await keeper.accessToken();
    await keeper.reload();
    const second = await keeper.accessToken();
    assert.notEqual(first, session.accessToken);
    assert.notEqual(second, first);
    assert.equal((await stored())?.refreshToken, session.refreshToken);
  });

  it('does not mistake a clock that is ahead for the end of the session', async () => {
    const keeper = keeperWith();
    await keeper.accept(session);
    clock.aheadMs = 3_600_000;
    assert.notEqual(await keeper.accessToken(), session.accessToken);
    assert.ok(await keeper.current());
  });

  it('stops telling whoever does not listen any more', async () => {
    const keeper = keeperWith();
    const subscription = keeper.onDidChange(() => assert.fail('nobody listens'));
    subscription[Symbol.dispose]();
    await keeper.accept(session);
  });

  it('registers what it holds for masking', async () => {
    const redactor = createRedactor();
    const keeper = keeperWith({ redactor });
    await keeper.accept(session);
    const line = redactor.redact(`r=${session.refreshToken ?? ''} t=${session.idToken}`);
    assert.ok(!line.includes(session.refreshToken ?? '-'));
    assert.ok(!line.includes(session.idToken));
  });
});
