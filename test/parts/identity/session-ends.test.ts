import assert from 'node:assert/strict';

import { hasCode } from '../../../src/domain/errors.ts';
import { principalOf, type Session } from '../../../src/identity/index.ts';
import { refreshSession } from '../../../src/identity/refresh.ts';
import { serializeSession } from '../../../src/identity/session.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { keeperStage } from './keeper-stage.ts';
import { signIn } from './sign-in.ts';

const expired = (error: unknown): boolean => hasCode(error, 'session_expired');
const notSignedIn = (error: unknown): boolean => hasCode(error, 'not_signed_in');

describe('the end of a session', () => {
  const stage = keeperStage();
  const { keeperWith, nearTheEnd, stored } = stage;

  it('says that the session is over when the provider has ended it', async () => {
    const keeper = keeperWith();
    await keeper.accept(stage.session);
    const heard: unknown[] = [];
    keeper.onDidChange((changed) => heard.push(changed));
    await stage.idp.revokeSessions(PEOPLE.ana.sub);
    nearTheEnd();
    await assert.rejects(keeper.accessToken(), expired);
    assert.equal(await stage.store.read(), undefined);
    assert.deepEqual(heard, [undefined]);
    await assert.rejects(keeper.accessToken(), expired, 'it still says why');
    await keeper.accept(await signIn(stage.discovered, PEOPLE.ana));
    stage.clock.aheadMs = 0;
    assert.ok(await keeper.accessToken());
  });

  it('signs out here first, and then at the provider', async () => {
    const keeper = keeperWith({
      identityProvider: async () => {
        assert.equal(await stage.store.read(), undefined, 'the provider is told after the secret is gone');
        return stage.discovered;
      },
    });
    await keeper.accept(stage.session);
    const { atProvider } = await keeper.signOut();
    await assert.rejects(keeper.accessToken(), notSignedIn);
    assert.equal(await atProvider, true);
    await assert.rejects(refreshSession(stage.discovered, stage.session), expired);
  });

  describe('over a session of somebody else', () => {
    let lena: Session;
    beforeEach(async () => {
      lena = await signIn(stage.discovered, PEOPLE.lena);
    });

    it('ends that one: in the store, here, and then at the provider', async () => {
      const order: string[] = [];
      const keeper = keeperWith({
        identityProvider: async () => {
          order.push(`provider, with ${(await stored())?.userName ?? 'nobody'} in the store`);
          return stage.discovered;
        },
      });
      await keeper.accept(stage.session);
      keeper.onDidChange((changed) => order.push(`here: ${changed?.userName ?? 'nobody'}`));
      const { formerAtProvider } = await keeper.accept(lena);
      assert.equal(await formerAtProvider, true);
      assert.deepEqual(order, [`here: ${lena.userName}`, `provider, with ${lena.userName} in the store`]);
      await assert.rejects(refreshSession(stage.discovered, stage.session), expired);
      await assert.doesNotReject(refreshSession(stage.discovered, lena));
    });

    it('ends what another window had made of it', async () => {
      const renewed = await refreshSession(stage.discovered, stage.session);
      const keeper = keeperWith();
      await keeper.accept(stage.session);
      await stage.store.write(serializeSession(renewed));
      const { formerAtProvider } = await keeper.accept(lena);
      assert.equal(await formerAtProvider, true);
      await assert.rejects(refreshSession(stage.discovered, renewed), expired);
    });

    it('ends what a refresh brings after it', async () => {
      const gate = Promise.withResolvers<undefined>();
      const asked = Promise.withResolvers<undefined>();
      const brought: Session[] = [];
      const library = {
        ...stage.discovered.library,
        refreshTokenGrant: async (
          ...given: Parameters<typeof stage.discovered.library.refreshTokenGrant>
        ) => {
          const answer = await stage.discovered.library.refreshTokenGrant(...given);
          brought.push({ ...stage.session, refreshToken: answer.refresh_token });
          asked.resolve(undefined);
          await gate.promise;
          return answer;
        },
      };
      const keeper = keeperWith({
        identityProvider: () => Promise.resolve({ ...stage.discovered, library }),
      });
      await keeper.accept(stage.session);
      nearTheEnd();
      const token = keeper.accessToken(undefined, principalOf(stage.session));
      await asked.promise;
      stage.clock.aheadMs = 0;
      await keeper.accept(lena);
      gate.resolve(undefined);
      await assert.rejects(token, { code: 'principal_changed' });
      assert.equal((await stored())?.userName, lena.userName);
      assert.equal(brought.length, 1);
      for (const late of brought) await assert.rejects(refreshSession(stage.discovered, late), expired);
    });

    it('leaves everything as it was where it cannot be kept', async () => {
      const full = { ...stage.store, write: (text: string) => stage.store.write(text) };
      const keeper = keeperWith({ store: full });
      await keeper.accept(stage.session);
      full.write = () => Promise.reject(new Error('locked'));
      await assert.rejects(keeper.accept(lena), { code: 'session_not_kept' });
      assert.equal((await keeper.current())?.userName, stage.session.userName);
      await assert.doesNotReject(refreshSession(stage.discovered, stage.session));
    });

    it('ends nothing of the same person, whose new tokens would end with the old ones', async () => {
      const again = await signIn(stage.discovered, PEOPLE.ana);
      const keeper = keeperWith({ identityProvider: () => assert.fail('the provider was asked') });
      await keeper.accept(stage.session);
      const { formerAtProvider } = await keeper.accept(again);
      assert.equal(await formerAtProvider, false);
      await assert.doesNotReject(refreshSession(stage.discovered, again));
    });
  });

  it('is signed out before anything is waited for, and stays so though the store cannot be cleared', async () => {
    const keeper = keeperWith({
      store: { ...stage.store, clear: () => Promise.reject(new Error('locked')) },
    });
    await keeper.accept(stage.session);
    const heard: unknown[] = [];
    keeper.onDidChange((changed) => heard.push(changed));
    const signedOut = keeper.signOut();
    assert.deepEqual(heard, [undefined]);
    assert.deepEqual(keeper.state, { kind: 'signed-out' });
    await assert.rejects(signedOut, { code: 'session_not_deleted' });
    await assert.rejects(
      refreshSession(stage.discovered, stage.session),
      expired,
      'what is left behind is worth nothing',
    );
    await keeper.reload();
    await assert.rejects(keeper.accessToken(), notSignedIn);
    await keeper.accept(await signIn(stage.discovered, PEOPLE.ana));
    assert.ok(await keeper.accessToken());
  });

  it('says so where a sign-in cannot be kept', async () => {
    const keeper = keeperWith({
      store: { ...stage.store, write: () => Promise.reject(new Error('locked')) },
    });
    await assert.rejects(keeper.accept(stage.session), { code: 'session_not_kept' });
  });

  it('ends a refresh that a sign-out overtook', async () => {
    const gate = Promise.withResolvers<undefined>();
    const keeper = keeperWith({
      identityProvider: async () => {
        await gate.promise;
        return stage.discovered;
      },
    });
    await keeper.accept(stage.session);
    nearTheEnd();
    const token = keeper.accessToken();
    const signedOut = keeper.signOut();
    gate.resolve(undefined);
    await assert.rejects(token, (error) => notSignedIn(error) || expired(error));
    await signedOut;
    assert.equal(await stage.store.read(), undefined);
    assert.equal(await keeper.current(), undefined);
  });
});
