import assert from 'node:assert/strict';

import { hasCode } from '../../../src/domain/errors.ts';
import {
  principalOf,
  type DiscoveredIdentityProvider,
  type Session,
  type SessionStore,
} from '../../../src/identity/index.ts';
import { refreshSession } from '../../../src/identity/refresh.ts';
import { serializeSession } from '../../../src/identity/session.ts';
import { PEOPLE, type RunningIdentityProvider } from '../../../src/sandbox/identity-provider/index.ts';
import { keeperStage, type KeeperStage } from './keeper-stage.ts';
import { signIn } from './sign-in.ts';

const expired = (error: unknown): boolean => hasCode(error, 'session_expired');
const notSignedIn = (error: unknown): boolean => hasCode(error, 'not_signed_in');

describe('the end of a session', () => {
  const stage = keeperStage();
  const { keeperWith, nearTheEnd, stored } = stage;
  let idp: RunningIdentityProvider;
  let discovered: DiscoveredIdentityProvider;
  let clock: KeeperStage['clock'];
  let store: SessionStore;
  let session: Session;
  before(() => ({ idp, discovered } = stage));
  beforeEach(() => ({ clock, store, session } = stage));

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
});
