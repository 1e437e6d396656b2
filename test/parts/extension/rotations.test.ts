import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import {
  PEOPLE,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { EditorWindow, startConfiguration } from './editor-windows.ts';

/** Each window goes through so many; the provider ends everything where one refresh token comes twice. */
const ROTATIONS = Number(process.env['OAM_ROTATIONS'] ?? 200);

describe('windows that are processes of their own, at a provider that notices reuse', function () {
  this.timeout(300_000);
  let idp: RunningIdentityProvider;
  let plane: Awaited<ReturnType<typeof startConfiguration>>;
  let folder: string;
  let windows: EditorWindow[];

  before(async () => {
    idp = await startIdentityProvider();
    plane = await startConfiguration(idp.issuer);
  });
  after(async () => {
    plane.close();
    await idp.close();
  });
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'oam-hosts-'));
    windows = [];
  });
  afterEach(async () => {
    await Promise.all(windows.map((window) => window.close()));
    await rm(folder, { recursive: true, force: true });
  });

  /** A window whose extensions run on a host; all windows of a person share VS Code's secrets. */
  const open = async (host: string): Promise<EditorWindow> => {
    const window = new EditorWindow({
      controlPlane: plane.url,
      storage: path.join(folder, host),
      secrets: path.join(folder, 'secrets'),
      usesKeychain: false,
    });
    windows.push(window);
    await window.do({ do: 'start' });
    return window;
  };

  it(`on two hosts without a common lock, two on each, refresh for ${String(ROTATIONS)} rotations and nobody is signed out`, async () => {
    for (const host of ['laptop', 'ssh-host']) {
      await (await open(host)).do({ do: 'signIn', person: 'ana' });
      const second = await open(host);
      assert.equal((await second.do({ do: 'look' })).acting, PEOPLE.ana.userName);
    }
    const looks = await Promise.all(windows.map((window) => window.do({ do: 'look' })));
    const before = idp.refreshes();
    const views = await Promise.all(windows.map((window) => window.do({ do: 'rotate', times: ROTATIONS })));
    assert.deepEqual(views, looks);
    for (const { kind } of views) assert.equal(kind, 'signedIn');
    const { given, refused } = idp.refreshes();
    assert.deepEqual(
      { given: given - before.given, refused: refused - before.refused },
      { given: windows.length * ROTATIONS, refused: 0 },
    );
    // Each host has signed in for itself: a list and a session each.
    assert.equal((await readdir(path.join(folder, 'secrets'))).length, 4);
  });

  it('of which one is killed between the answer and the store cost one sentence and one sign-in, and no loop', async () => {
    const first = await open('laptop');
    await first.do({ do: 'signIn', person: 'ana' });
    const second = await open('laptop');
    await first.do({ do: 'dieAtNextWrite' });
    await assert.rejects(first.do({ do: 'rotate', times: 1 }), /the window is gone/);

    const before = idp.refreshes();
    await assert.rejects(second.do({ do: 'rotate', times: 1 }), /session_expired/);
    const told = ['expired: Your session has ended. Sign in again.'];
    assert.deepEqual((await second.do({ do: 'look' })).seen, told);
    // It does not ask again, and neither does a window that is opened now.
    await assert.rejects(second.do({ do: 'rotate', times: 1 }), /nobody is signed in/);
    const third = await open('laptop');
    assert.deepEqual((await third.do({ do: 'look' })).kind, 'signedOut');
    assert.equal(idp.refreshes().refused - before.refused, 1);

    await second.do({ do: 'signIn', person: 'ana' });
    assert.equal((await second.do({ do: 'rotate', times: 2 })).kind, 'signedIn');
  });
});
