import assert from 'node:assert/strict';

import fc from 'fast-check';

import { CancelledError, hasCode } from '../../../src/domain/errors.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { memorySessionStore, principalOf, type Session } from '../../../src/identity/index.ts';
import { refreshSession } from '../../../src/identity/refresh.ts';
import { parseSession, serializeSession } from '../../../src/identity/session.ts';
import { PEOPLE, startIdentityProvider } from '../../../src/sandbox/identity-provider/index.ts';
import { keeperStage } from './keeper-stage.ts';
import { claimsOf, discover, signIn } from './sign-in.ts';

const notSignedIn = (error: unknown): boolean => hasCode(error, 'not_signed_in');

describe('the session keeper', () => {
  const stage = keeperStage();
  const { keeperWith, nearTheEnd, stored } = stage;

  it('says that nobody is signed in, without the network', async () => {
    const keeper = keeperWith({ identityProvider: () => assert.fail('the network was asked') });
    assert.equal(await keeper.current(), undefined);
    await assert.rejects(keeper.accessToken(), notSignedIn);
    await assert.rejects(keeper.subjectToken(), notSignedIn);
  });

  it('finds the session of an earlier run, without the network', async () => {
    await stage.store.write(serializeSession(stage.session));
    const keeper = keeperWith({ identityProvider: () => assert.fail('the network was asked') });
    assert.deepEqual(await keeper.current(), parseSession(serializeSession(stage.session)));
    assert.equal(await keeper.accessToken(), stage.session.accessToken);
    assert.deepEqual(await keeper.subjectToken(), {
      token: stage.session.idToken,
      expiresAtMs: stage.session.idTokenExpiresAtMs,
      principal: principalOf(stage.session),
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
    await keeper.accept(stage.session);
    stage.clock.aheadMs = stage.session.accessTokenExpiresAtMs - Date.now() - 65_000;
    assert.equal(await keeper.accessToken(), stage.session.accessToken);
    stage.clock.aheadMs += 10_000;
    const renewed = await keeper.accessToken();
    assert.notEqual(renewed, stage.session.accessToken);
    assert.equal(claimsOf(renewed)['sub'], PEOPLE.ana.sub);
  });

  it('refreshes in each window by another while earlier, half a minute at most', async () => {
    const dueAt = async (random: number): Promise<number | undefined> => {
      const keeper = keeperWith({ random: () => random });
      assert.equal(keeper.refreshAtMs, undefined);
      await keeper.accept(stage.session);
      return keeper.refreshAtMs;
    };
    assert.equal(await dueAt(0), stage.session.accessTokenExpiresAtMs - 60_000);
    assert.equal(await dueAt(0.999), stage.session.accessTokenExpiresAtMs - 89_970);
    const early = keeperWith({ random: () => 0.5 });
    await early.accept(stage.session);
    stage.clock.aheadMs = stage.session.accessTokenExpiresAtMs - Date.now() - 70_000;
    assert.notEqual(await early.accessToken(), stage.session.accessToken);
  });

  it('refreshes a token that lives shortly at half its life', async () => {
    const brief = await startIdentityProvider({ accessTokenSeconds: 40, idTokenSeconds: 40 });
    try {
      const provider = await discover(brief);
      const keeper = keeperWith({ identityProvider: () => Promise.resolve(provider) });
      const short = await signIn(provider, PEOPLE.ana);
      await keeper.accept(short);
      stage.clock.aheadMs = 10_000;
      await keeper.subjectToken();
      assert.equal((await stored())?.refreshToken, short.refreshToken);
      stage.clock.aheadMs = 25_000;
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
    await keeper.accept(stage.session);
    const seen = new Set([stage.session.refreshToken]);
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
    await keeper.accept(stage.session);
    stage.clock.aheadMs = 250_000;
    const { token, expiresAtMs } = await keeper.subjectToken();
    const claims = claimsOf(token);
    // Within one second the provider signs the very same ID token, so the rotation is what tells.
    assert.notEqual((await stored())?.refreshToken, stage.session.refreshToken);
    assert.equal(claims['aud'], 'oam-editor');
    assert.equal(claims['email'], PEOPLE.ana.userName);
    assert.deepEqual(claims['groups'], ['ml-recsys']);
    assert.equal(claims['duty'], 'data-scientist');
    assert.equal(expiresAtMs, Number(claims['exp']) * 1000);
  });

  it('brings changed groups with the next refresh, and a list that overflowed as such', async () => {
    try {
      const keeper = keeperWith();
      await keeper.accept(stage.session);
      stage.idp.setGroups(PEOPLE.ana.sub, ['ml-recsys', 'ml-new']);
      nearTheEnd();
      assert.deepEqual(claimsOf(await keeper.accessToken())['groups'], ['ml-recsys', 'ml-new']);
      stage.idp.setGroups(PEOPLE.ana.sub, 'overflow');
      const overflowed = claimsOf(await keeper.accessToken());
      assert.equal(overflowed['groups'], undefined);
      assert.deepEqual(overflowed['_claim_names'], { groups: 'src1' });
      const id = claimsOf((await keeper.current())?.idToken ?? '');
      assert.deepEqual(id['_claim_names'], { groups: 'src1' });
      assert.equal(id['groups'], undefined);
    } finally {
      stage.idp.setGroups(PEOPLE.ana.sub, PEOPLE.ana.groups);
    }
  });

  it('refreshes once, however many ask', async () => {
    let refreshes = 0;
    const keeper = keeperWith({
      identityProvider: () => {
        refreshes += 1;
        return Promise.resolve(stage.discovered);
      },
    });
    await keeper.accept(stage.session);
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
      stage.clock.aheadMs = 250_000;
      await Promise.all([keeper.accessToken(), keeper.subjectToken()]);
      stage.clock.aheadMs = 0;
      // The provider would have revoked the whole family if one refresh token had been used twice.
      const now = await keeper.current();
      assert.ok(now);
      await assert.doesNotReject(refreshSession(provider, now));
    } finally {
      await even.close();
    }
  });

  it('tells the store of a change though a listener fails', async () => {
    const keeper = keeperWith();
    await keeper.accept(stage.session);
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

  it('stops waiting when cancelled, and stores what the refresh brought all the same', async () => {
    const gate = Promise.withResolvers<undefined>();
    const keeper = keeperWith({
      identityProvider: async () => {
        await gate.promise;
        return stage.discovered;
      },
    });
    await keeper.accept(stage.session);
    const changed = Promise.withResolvers<Session | undefined>();
    keeper.onDidChange(changed.resolve);
    nearTheEnd();
    const cancel = new AbortController();
    const token = keeper.accessToken(cancel.signal);
    cancel.abort();
    await assert.rejects(token, CancelledError);
    gate.resolve(undefined);
    assert.notEqual((await changed.promise)?.refreshToken, stage.session.refreshToken);
    assert.notEqual(await keeper.accessToken(), stage.session.accessToken);
    assert.notEqual((await stored())?.refreshToken, stage.session.refreshToken);
  });

  it('stops telling whoever does not listen any more', async () => {
    const keeper = keeperWith();
    const subscription = keeper.onDidChange(() => assert.fail('nobody listens'));
    subscription[Symbol.dispose]();
    await keeper.accept(stage.session);
  });

  it('registers what it holds for masking', async () => {
    const redactor = createRedactor();
    const keeper = keeperWith({ redactor });
    await keeper.accept(stage.session);
    const line = redactor.redact(`r=${stage.session.refreshToken ?? ''} t=${stage.session.idToken}`);
    assert.ok(!line.includes(stage.session.refreshToken ?? '-'));
    assert.ok(!line.includes(stage.session.idToken));
  });
});
