import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import {
  secretSessionStore,
  sessionKey,
} from '../../../src/extension/authentication/secret-session-store.ts';
import {
  createSessionKeeper,
  type DiscoveredIdentityProvider,
  fileRefreshLock,
  sealedSessionStore,
  type Secrets,
  type SessionKeeper,
  type SessionStore,
} from '../../../src/identity/index.ts';
import { refreshSession } from '../../../src/identity/refresh.ts';
import { parseSession } from '../../../src/identity/session.ts';
import {
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { discover, signIn } from '../identity/sign-in.ts';

/** Set to another number to see them go on for longer. */
const ROTATIONS = Number(process.env['OAM_ROTATIONS'] ?? 30);

/** Secrets as a browser keeps them: each page has a copy of what was there when it was loaded. */
class BrowserProfile {
  readonly #kept = new Map<string, string>();

  page(): Secrets {
    const copy = new Map(this.#kept);
    return {
      get: (key) => Promise.resolve(copy.get(key)),
      store: (key, value) => {
        copy.set(key, value);
        this.#kept.set(key, value);
        return Promise.resolve();
      },
      delete: (key) => {
        copy.delete(key);
        this.#kept.delete(key);
        return Promise.resolve();
      },
    };
  }
}

/** Secrets as the desktop keeps them: all windows of a person see the same. */
function desktopSecrets(): Secrets {
  const values = new Map<string, string>();
  return {
    get: (key) => Promise.resolve(values.get(key)),
    store: (key, value) => Promise.resolve(void values.set(key, value)),
    delete: (key) => Promise.resolve(void values.delete(key)),
  };
}

describe('two windows of one person', function () {
  this.timeout(120_000);
  let idp: RunningIdentityProvider;
  let discovered: DiscoveredIdentityProvider;
  let folder: string;
  let aheadMs: number;

  before(async () => {
    idp = await startIdentityProvider();
    discovered = await discover(idp);
  });
  after(() => idp.close());
  beforeEach(async () => {
    aheadMs = 0;
    folder = await mkdtemp(path.join(os.tmpdir(), 'oam-windows-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function windowOver(store: SessionStore, lockFolder = folder): SessionKeeper {
    return createSessionKeeper({
      store,
      lock: fileRefreshLock(path.join(lockFolder, 'lock')),
      identityProvider: () => Promise.resolve(discovered),
      clock: { nowMs: () => Date.now() + aheadMs },
      logger: silentLogger,
      redactor: createRedactor(),
    });
  }

  const sealedIn = (secrets: Secrets): SessionStore =>
    sealedSessionStore({ folder: path.join(folder, 'session'), secrets, machine: 'm', key: 'k' });

  /** Both need a new token at the same moment, again and again. The provider ends a session that uses an old one. */
  async function rotate(windows: readonly SessionKeeper[], sessions: number): Promise<void> {
    const seen = new Set<string>();
    for (let round = 0; round < ROTATIONS; round++) {
      // Tokens live ten minutes; the provider knows only the real time.
      aheadMs = 570_000;
      const renewed = await Promise.all(windows.map((window) => window.accessToken()));
      for (const token of renewed) seen.add(token);
      aheadMs = 0;
    }
    assert.ok(seen.size >= ROTATIONS * sessions, `${seen.size} tokens`);
    for (const window of windows) assert.equal(window.state.kind, 'signed-in');
  }

  it('go through rotation after rotation in a browser, whose pages do not share secrets, without a sign-out', async () => {
    const browser = new BrowserProfile();
    const first = windowOver(sealedIn(browser.page()));
    // Nobody is signed in when the pages are opened; the look makes the key.
    assert.equal(await first.current(), undefined);
    const second = windowOver(sealedIn(browser.page()));
    await first.accept(await signIn(discovered, PEOPLE.ana));
    await second.reload();
    assert.equal((await second.current())?.subject, PEOPLE.ana.sub);
    await rotate([first, second], 1);
    await second.signOut();
    await first.reload();
    assert.equal(first.state.kind, 'signed-out');
  });

  it('go through rotation after rotation on a desktop without a sign-out', async () => {
    const secrets = desktopSecrets();
    const windows = [1, 2].map(() => windowOver(secretSessionStore(secrets, 'session')));
    await windows[0]?.accept(await signIn(discovered, PEOPLE.ana));
    await windows[1]?.reload();
    await rotate(windows, 1);
  });

  it('go through rotation after rotation on two machines, which share secrets but no lock, without a sign-out', async () => {
    const secrets = desktopSecrets();
    const identity = discovered.configuration;
    const windows = ['laptop', 'ssh-host'].map((machine) =>
      windowOver(
        secretSessionStore(secrets, sessionKey(machine, 'https://oam.example.com', identity)),
        path.join(folder, machine),
      ),
    );
    for (const window of windows) {
      assert.equal(await window.current(), undefined, 'each machine signs in for itself');
      await window.accept(await signIn(discovered, PEOPLE.ana));
    }
    await rotate(windows, 2);
  });

  describe('the sealed session', () => {
    it('cannot be read off the disk, and is for nobody else', async () => {
      const store = sealedIn(new BrowserProfile().page());
      const session = await signIn(discovered, PEOPLE.ana);
      await windowOver(store).accept(session);
      const [name = ''] = await readdir(path.join(folder, 'session'));
      const file = path.join(folder, 'session', name);
      const text = await readFile(file, 'utf8');
      for (const secret of [session.accessToken, session.idToken, session.refreshToken ?? '-']) {
        assert(!text.includes(secret) && !text.includes(Buffer.from(secret).toString('base64url')));
      }
      if (process.platform !== 'win32') assert.equal((await stat(file)).mode & 0o077, 0);
    });

    it('of another browser is another one', async () => {
      const [one, other] = [sealedIn(new BrowserProfile().page()), sealedIn(new BrowserProfile().page())];
      await one.write('of the first');
      assert.equal(await other.read(), undefined);
      await other.write('of the second');
      await other.clear();
      assert.equal(await one.read(), 'of the first');
    });

    it('is nothing where somebody wrote into it', async () => {
      const browser = new BrowserProfile();
      const store = sealedIn(browser.page());
      await store.write('the session');
      const [name = ''] = await readdir(path.join(folder, 'session'));
      const file = path.join(folder, 'session', name);
      const whole = await readFile(file, 'utf8');
      const parts = JSON.parse(whole) as Record<string, string>;
      for (const bad of [
        '',
        '{}',
        whole.slice(0, -5),
        JSON.stringify({ ...parts, text: Buffer.from('another session').toString('base64url') }),
        JSON.stringify({ ...parts, tag: 'AAAA' }),
      ]) {
        await writeFile(file, bad);
        assert.equal(await store.read(), undefined, bad);
      }
      await store.write('the session');
      assert.equal(await sealedIn(browser.page()).read(), 'the session');
    });

    it('leaves nothing behind where it cannot be written', async () => {
      const store = sealedIn(new BrowserProfile().page());
      await writeFile(path.join(folder, 'session'), 'a file in the way');
      await assert.rejects(store.write('the session'));
      await assert.rejects(store.read());
      assert.deepEqual(await readdir(folder), ['session']);
    });
  });

  it('of which one is a page with an old secret end the session for both, were it kept there', async () => {
    // Why there is a sealed session: the same two pages, with the session among their secrets.
    const browser = new BrowserProfile();
    const first = windowOver(secretSessionStore(browser.page(), 'session'));
    await first.accept(await signIn(discovered, PEOPLE.ana));
    const second = windowOver(secretSessionStore(browser.page(), 'session'));
    const session = await second.current();
    aheadMs = 570_000;
    await first.accessToken();
    await assert.rejects(second.accessToken(), { code: 'session_expired' });
    const kept = parseSession(JSON.stringify(session));
    assert(kept !== undefined);
    await assert.rejects(refreshSession(discovered, kept), { code: 'session_expired' });
    aheadMs = 1_200_000;
    await assert.rejects(first.accessToken(), { code: 'session_expired' });
  });
});
