import assert from 'node:assert/strict';

import { hasCode } from '../../../src/domain/errors.ts';
import type { DiscoveredIdentityProvider } from '../../../src/identity/index.ts';
import {
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { keeperStage } from './keeper-stage.ts';
import { discover, signIn } from './sign-in.ts';

const unavailable = (error: unknown): boolean => hasCode(error, 'identity_provider_unavailable');

describe('a session in trouble with its provider', () => {
  const stage = keeperStage();
  const { keeperWith, nearTheEnd, stored } = stage;

  describe('when the provider is down', () => {
    afterEach(() => {
      stage.idp.resume();
    });

    it('hands out what still lives, then says so, and never signs out', async () => {
      const keeper = keeperWith();
      await keeper.accept(stage.session);
      const heard: unknown[] = [];
      keeper.onDidChange((changed) => heard.push(changed));
      stage.idp.pause();
      nearTheEnd();
      assert.equal(await keeper.accessToken(), stage.session.accessToken);
      await assert.rejects(keeper.subjectToken(), unavailable, 'the ID token is over');
      stage.clock.aheadMs = 700_000;
      await assert.rejects(keeper.accessToken(), unavailable);
      assert.equal((await keeper.current())?.subject, PEOPLE.ana.sub);
      assert.equal((await stored())?.refreshToken, stage.session.refreshToken);
      assert.deepEqual(heard, []);
      stage.idp.resume();
      stage.clock.aheadMs = 570_000;
      assert.notEqual(await keeper.accessToken(), stage.session.accessToken);
    });

    it('also when nobody listens there at all', async () => {
      const gone = await startIdentityProvider();
      const provider = await discover(gone);
      const theirs = await signIn(provider, PEOPLE.ana);
      await gone.close();
      const keeper = keeperWith({ identityProvider: () => Promise.resolve(provider) });
      await keeper.accept(theirs);
      stage.clock.aheadMs = 700_000;
      await assert.rejects(keeper.accessToken(), unavailable);
      assert.ok(await stored());
    });

    it('signs out all the same', async () => {
      const keeper = keeperWith();
      await keeper.accept(stage.session);
      stage.idp.pause();
      await keeper.signOut();
      assert.equal(await stage.store.read(), undefined);
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
      stage.clock.aheadMs = theirs.idTokenExpiresAtMs - Date.now() - 30_000;
      assert.equal((await keeper.subjectToken()).token, theirs.idToken, 'it is good for half a minute more');
      assert.equal((await keeper.subjectToken()).token, theirs.idToken);
      assert.equal(refreshes, 1, 'what is not given is not asked for again and again');
      stage.clock.aheadMs += 60_000;
      for (let round = 0; round < 3; round++) {
        await assert.rejects(keeper.subjectToken(), { code: 'databricks_sign_in_needed' });
      }
      assert.equal(refreshes, 1);
      assert.ok(await keeper.accessToken());
      assert.equal(keeper.state.kind, 'signed-in');

      stage.clock.aheadMs = 0;
      const again = await signIn(provider, PEOPLE.ana);
      await keeper.accept(again);
      assert.equal((await keeper.subjectToken()).token, again.idToken);
    });

    it('asks for it too where the token had run out before anybody asked', async () => {
      const keeper = keeperWith({ identityProvider: () => Promise.resolve(provider) });
      await keeper.accept(await signIn(provider, PEOPLE.ana));
      stage.clock.aheadMs = 570_000;
      await assert.rejects(keeper.subjectToken(), { code: 'databricks_sign_in_needed' });
      assert.ok(await keeper.accessToken());
    });
  });

  it('does not mistake a clock that is ahead for the end of the session', async () => {
    const keeper = keeperWith();
    await keeper.accept(stage.session);
    stage.clock.aheadMs = 3_600_000;
    assert.notEqual(await keeper.accessToken(), stage.session.accessToken);
    assert.ok(await keeper.current());
  });

  it('goes on with a store that cannot be written any more', async () => {
    const readOnly = { ...stage.store, write: (text: string) => stage.store.write(text) };
    const keeper = keeperWith({ store: readOnly });
    await keeper.accept(stage.session);
    readOnly.write = () => Promise.reject(new Error('disk full'));
    nearTheEnd();
    const first = await keeper.accessToken();
    await keeper.reload();
    const second = await keeper.accessToken();
    assert.notEqual(first, stage.session.accessToken);
    assert.notEqual(second, first);
    assert.equal((await stored())?.refreshToken, stage.session.refreshToken);
  });
});
