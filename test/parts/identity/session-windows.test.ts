import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { hasCode } from '../../../src/domain/errors.ts';
import { fileRefreshLock, principalOf } from '../../../src/identity/index.ts';
import { refreshSession } from '../../../src/identity/refresh.ts';
import { serializeSession } from '../../../src/identity/session.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { keeperStage } from './keeper-stage.ts';
import { signIn } from './sign-in.ts';

const expired = (error: unknown): boolean => hasCode(error, 'session_expired');
const notSignedIn = (error: unknown): boolean => hasCode(error, 'not_signed_in');

describe('a session that several windows keep', () => {
  const stage = keeperStage();
  const { keeperWith, nearTheEnd, stored } = stage;

  describe('with several windows', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'oam-refresh-'));
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    it('lets one refresh and the others find what it brought', async () => {
      const windows = Array.from({ length: 4 }, () => keeperWith({ lock: fileRefreshLock(folder) }));
      await stage.store.write(serializeSession(stage.session));
      nearTheEnd();
      const tokens = await Promise.all(windows.map((window) => window.accessToken()));
      assert.equal(tokens.filter((token) => token !== stage.session.accessToken).length, 4);
      // The provider revokes the whole family if a refresh token is used twice: the session would be over.
      stage.clock.aheadMs = 0;
      await assert.doesNotReject(refreshSession(stage.discovered, (await stored()) ?? stage.session));
    });

    it('hears of a sign-out, a sign-in and a refresh elsewhere', async () => {
      const here = keeperWith();
      const there = keeperWith();
      await here.accept(stage.session);
      await there.reload();
      assert.equal((await there.current())?.subject, PEOPLE.ana.sub);
      const heard: (string | undefined)[] = [];
      there.onDidChange((changed) => heard.push(changed?.userName));
      await here.signOut();
      await there.reload();
      await there.reload();
      await here.accept(await signIn(stage.discovered, PEOPLE.lena));
      await there.reload();
      assert.deepEqual(heard, [undefined, PEOPLE.lena.userName]);
    });

    it('gives nobody the token of another person who has signed in elsewhere', async () => {
      const here = keeperWith();
      await here.accept(stage.session);
      const ana = principalOf(stage.session);
      await stage.store.write(serializeSession(await signIn(stage.discovered, PEOPLE.lena)));
      assert.equal(await here.accessToken(undefined, ana), stage.session.accessToken);
      // Nobody said that the store has changed: the refresh finds it.
      nearTheEnd();
      await assert.rejects(here.accessToken(undefined, ana), { code: 'principal_changed' });
      assert.equal((await here.current())?.subject, PEOPLE.lena.sub);
      assert.ok(await here.accessToken());
    });

    it('reads again before it believes that the session is over', async () => {
      // A window on another machine shares the secret, but neither the lock nor the moment.
      const elsewhere = await refreshSession(stage.discovered, stage.session);
      nearTheEnd();
      const fresher = { ...elsewhere, accessTokenExpiresAtMs: stage.clock.nowMs() + 600_000 };
      let reads = 0;
      const keeper = keeperWith({
        store: {
          ...stage.store,
          read: () => Promise.resolve(serializeSession((reads += 1) <= 2 ? stage.session : fresher)),
          clear: () => assert.fail('nobody signed out'),
        },
      });
      assert.equal(await keeper.accessToken(), elsewhere.accessToken);
      assert.equal(reads, 3);
    });

    it('keeps a new sign-in of the same person that another window, in the middle of a refresh, writes over', async () => {
      const gate = Promise.withResolvers<undefined>();
      const writing = Promise.withResolvers<undefined>();
      const lock = fileRefreshLock(folder);
      await stage.store.write(serializeSession(stage.session));
      const there = keeperWith({
        lock,
        store: {
          ...stage.store,
          async write(text) {
            writing.resolve(undefined);
            await gate.promise;
            await stage.store.write(text);
          },
        },
      });
      const here = keeperWith({ lock: fileRefreshLock(folder) });
      nearTheEnd();
      const late = there.accessToken();
      await writing.promise;
      stage.clock.aheadMs = 0;
      const again = await signIn(stage.discovered, PEOPLE.ana);
      await here.accept(again);
      gate.resolve(undefined);
      await late;
      // As VS Code and the keychain tell of a change of the store.
      await Promise.all([here.reload(), there.reload()]);
      await here.reload();
      assert.equal((await stored())?.signInId, again.signInId);
      assert.equal(await here.accessToken(), again.accessToken);
      await there.reload();
      assert.equal(await there.accessToken(), again.accessToken);
    });

    it('does not come back to life when another window signed out during a refresh', async () => {
      const gate = Promise.withResolvers<undefined>();
      const asked = Promise.withResolvers<undefined>();
      const keeper = keeperWith({
        identityProvider: async () => {
          asked.resolve(undefined);
          await gate.promise;
          return stage.discovered;
        },
      });
      await keeper.accept(stage.session);
      nearTheEnd();
      const token = keeper.accessToken();
      await asked.promise;
      await stage.store.clear();
      gate.resolve(undefined);
      await assert.rejects(token, notSignedIn);
      assert.equal(await stage.store.read(), undefined);
      assert.equal(await keeper.current(), undefined);
      await assert.rejects(
        refreshSession(stage.discovered, stage.session),
        expired,
        'what the refresh brought is revoked',
      );
    });
  });
});
