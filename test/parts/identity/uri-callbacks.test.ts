import assert from 'node:assert/strict';

import { hasCode } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { UriCallbacks } from '../../../src/extension/authentication/uri-callbacks.ts';
import {
  type DiscoveredIdentityProvider,
  type Session,
  signInWithAuthorizationCode,
} from '../../../src/identity/index.ts';
import { createHeadlessBrowser } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import { logIn } from '../../../src/sandbox/identity-provider/headless-sign-in.ts';
import {
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { discover } from './sign-in.ts';

const REDIRECT = 'vscode://databricks-ml-oam.databricks-ml-oam/callback';

describe('sign-in through an address of the editor', () => {
  let idp: RunningIdentityProvider;
  let discovered: DiscoveredIdentityProvider;
  before(async () => {
    idp = await startIdentityProvider();
    discovered = await discover(idp);
  });
  after(() => idp.close());

  function callbacks(): UriCallbacks {
    const values = new Map<string, string>();
    return new UriCallbacks({
      redirectUri: () => REDIRECT,
      secrets: {
        get: (key) => Promise.resolve(values.get(key)),
        store: (key, value) => Promise.resolve(void values.set(key, value)),
        delete: (key) => Promise.resolve(void values.delete(key)),
      },
      clock: { nowMs: () => Date.now() },
      logger: silentLogger,
    });
  }

  /** Signs in with what the system hands to the editor changed on its way. */
  function signIn(change: (address: URL) => void): Promise<Session> {
    const window = callbacks();
    const browser = createHeadlessBrowser();
    return signInWithAuthorizationCode(discovered, {
      listen: (state) => window.listen(state),
      async openBrowser(url) {
        const end = await logIn(browser, await browser.open(url), PEOPLE.ana);
        const address = new URL(end.url);
        change(address);
        assert.equal(await window.handle(address), 'taken');
      },
    });
  }

  it('comes back from the real provider', async () => {
    const session = await signIn((address) => assert(address.href.startsWith(`${REDIRECT}?`)));
    assert.equal(session.subject, PEOPLE.ana.sub);
    assert.ok(session.refreshToken);
  });

  it('refuses another issuer, and one that hides itself (RFC 9207)', async () => {
    const wrongIssuer = (error: unknown): boolean => hasCode(error, 'wrong_issuer');
    await assert.rejects(
      signIn(({ searchParams }) => searchParams.set('iss', 'https://evil.example')),
      wrongIssuer,
    );
    await assert.rejects(
      signIn(({ searchParams }) => searchParams.delete('iss')),
      wrongIssuer,
    );
  });

  it('refuses a code that was not given to it', async () => {
    await assert.rejects(
      signIn(({ searchParams }) => searchParams.set('code', 'of-somebody-else')),
      (error) => hasCode(error, 'sign_in_timed_out'),
    );
  });

  it('says so when the person says no', async () => {
    const window = callbacks();
    const browser = createHeadlessBrowser();
    await assert.rejects(
      signInWithAuthorizationCode(discovered, {
        listen: (state) => window.listen(state),
        async openBrowser(url) {
          const end = await browser.submit(await browser.open(url), {}, 'do=cancel');
          await window.handle(new URL(end.url));
        },
      }),
      (error) => hasCode(error, 'sign_in_denied'),
    );
  });
});
