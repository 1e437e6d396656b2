import assert from 'node:assert/strict';
import { request } from 'node:http';
import { inspect } from 'node:util';

import { CancelledError, hasCode, OamError } from '../../../src/domain/errors.ts';
import { startCallbackServer } from '../../../src/identity/callback-server.ts';
import {
  signInWithLoopback,
  type DiscoveredIdentityProvider,
  type Who,
} from '../../../src/identity/index.ts';
import { createHeadlessBrowser, type Page } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import { logIn } from '../../../src/sandbox/identity-provider/headless-sign-in.ts';
import {
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { claimsOf, discover } from './sign-in.ts';

/** The address that a browser would be sent back to, with other parameters than the provider's. */
function callback(authorizationUrl: string, parameters: Record<string, string>): string {
  const asked = new URL(authorizationUrl).searchParams;
  const address = new URL(asked.get('redirect_uri') ?? '');
  const state = asked.get('state') ?? '';
  for (const [name, value] of Object.entries({ state, ...parameters })) address.searchParams.set(name, value);
  return address.href;
}

describe('sign-in through the loopback interface', () => {
  let idp: RunningIdentityProvider;
  let discovered: DiscoveredIdentityProvider;
  before(async () => {
    idp = await startIdentityProvider();
    discovered = await discover(idp);
  });
  after(() => idp.close());

  /** Runs the flow with a browser that goes straight to the given callback, and says what the browser then saw. */
  async function withAnswer(
    parameters: Record<string, string>,
  ): Promise<{ error: unknown; page: { status: number; html: string } }> {
    const browser = createHeadlessBrowser();
    const seen = Promise.withResolvers<Page>();
    const error: unknown = await signInWithLoopback(discovered, {
      openBrowser(url) {
        browser.open(callback(url, parameters)).then(seen.resolve, seen.reject);
      },
    }).then(
      () => assert.fail('nobody may be signed in'),
      (reason: unknown) => reason,
    );
    return { error, page: await seen.promise };
  }

  it('brings two tokens, and the page tells the person', async () => {
    const browser = createHeadlessBrowser();
    let asked: URLSearchParams | undefined;
    const last = Promise.withResolvers<Page>();
    const session = await signInWithLoopback(discovered, {
      async openBrowser(url) {
        asked = new URL(url).searchParams;
        last.resolve(await logIn(browser, await browser.open(url), PEOPLE.omar));
      },
    });

    assert.equal(session.subject, PEOPLE.omar.sub);
    assert.equal(claimsOf(session.accessToken)['aud'], 'urn:oam:control-plane');
    const id = claimsOf(session.idToken);
    assert.equal(id['aud'], 'oam-editor');
    assert.equal(id['email'], PEOPLE.omar.userName);
    assert.deepEqual(id['groups'], ['ml-platform']);
    assert.equal(id['duty'], 'ops-engineer');
    assert.equal(id['nonce'], asked?.get('nonce'));
    assert.equal(asked?.get('code_challenge_method'), 'S256');
    assert.ok(session.refreshToken);
    const { html, url } = await last.promise;
    assert.match(html, /You are signed in/);
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/callback\?/);
  });

  it('asks somebody whose browser is signed in only to continue, or to be somebody else', async () => {
    const browser = createHeadlessBrowser();
    const flow = (drive: (page: Page) => Promise<unknown>): ReturnType<typeof signInWithLoopback> =>
      signInWithLoopback(discovered, {
        async openBrowser(url) {
          await drive(await browser.open(url));
        },
      });

    await flow((page) => logIn(browser, page, PEOPLE.ana));
    const again = await flow((page) => {
      assert.match(page.html, /Continue as Ana Silva/);
      return browser.submit(page, {}, 'do=continue');
    });
    assert.equal(again.subject, PEOPLE.ana.sub);
    const other = await flow(async (page) =>
      logIn(browser, await browser.submit(page, {}, 'do=switch'), PEOPLE.lena),
    );
    assert.equal(other.subject, PEOPLE.lena.sub);
  });

  it('says so when the person cancels', async () => {
    const browser = createHeadlessBrowser();
    await assert.rejects(
      signInWithLoopback(discovered, {
        async openBrowser(url) {
          const end = await browser.submit(await browser.open(url), {}, 'do=cancel');
          assert.match(end.html, /did not work/);
        },
      }),
      (error) => hasCode(error, 'sign_in_denied'),
    );
  });

  it('refuses an answer with another state', async () => {
    const { error, page } = await withAnswer({ code: 'stolen', state: 'of-somebody-else', iss: idp.issuer });
    assert.ok(hasCode(error, 'state_mismatch'));
    assert.equal(page.status, 400);
    assert.match(page.html, /did not work/);
  });

  it('refuses an answer from another issuer, and one that hides its issuer', async () => {
    const other = await withAnswer({ code: 'x', iss: 'https://evil.example' });
    assert.ok(hasCode(other.error, 'wrong_issuer'));
    const hidden = await withAnswer({ code: 'x' });
    assert.ok(hasCode(hidden.error, 'wrong_issuer'));
  });

  it('refuses a code that the provider did not give, and keeps it out of the error', async () => {
    const { error } = await withAnswer({ code: 'made-up-code-123', iss: idp.issuer });
    assert.ok(error instanceof OamError);
    assert.equal(error.code, 'sign_in_timed_out');
    assert.ok(!inspect(error, { depth: null, showHidden: true }).includes('made-up-code-123'));
  });

  it('says so when the provider goes down in the middle', async () => {
    const browser = createHeadlessBrowser();
    try {
      await assert.rejects(
        signInWithLoopback(discovered, {
          openBrowser(url) {
            idp.pause();
            void browser.open(callback(url, { code: 'x', iss: idp.issuer }));
          },
        }),
        (error) => hasCode(error, 'identity_provider_unavailable'),
      );
    } finally {
      idp.resume();
    }
  });

  it('says who is to sign in, or has it asked though the browser knows somebody', async () => {
    const askedFor = async (who: Who | undefined): Promise<Record<string, string | null>> => {
      let asked = new URLSearchParams();
      const opened = new CancelledError();
      const signingIn = signInWithLoopback(discovered, {
        who,
        openBrowser(url) {
          asked = new URL(url).searchParams;
          throw opened;
        },
      });
      await assert.rejects(signingIn, CancelledError);
      return { login_hint: asked.get('login_hint'), prompt: asked.get('prompt') };
    };
    assert.deepEqual(await askedFor(undefined), { login_hint: null, prompt: null });
    assert.deepEqual(await askedFor({ userName: 'ana@example.com' }), {
      login_hint: 'ana@example.com',
      prompt: null,
    });
    assert.deepEqual(await askedFor('ask'), { login_hint: null, prompt: 'login' });
  });

  it('gives up after its time', async () => {
    await assert.rejects(
      signInWithLoopback(discovered, { openBrowser: () => undefined, timeoutMs: 20 }),
      (error) => hasCode(error, 'sign_in_timed_out'),
    );
  });

  it('is cancelled silently, and stops listening', async () => {
    const cancel = new AbortController();
    let address = '';
    await assert.rejects(
      signInWithLoopback(discovered, {
        openBrowser(url) {
          address = callback(url, { code: 'x', iss: idp.issuer });
          cancel.abort();
        },
        signal: cancel.signal,
      }),
      CancelledError,
    );
    await assert.rejects(fetch(address), 'nobody listens any more');
    await assert.rejects(
      signInWithLoopback(discovered, { openBrowser: () => assert.fail(), signal: cancel.signal }),
      CancelledError,
    );
  });

  it('passes on that no browser could be opened', async () => {
    await assert.rejects(
      signInWithLoopback(discovered, {
        openBrowser: () => Promise.reject(new Error('no browser here')),
      }),
      /no browser here/,
    );
  });
});

describe('the callback server', () => {
  it('takes one answer only, and shows its page when the sign-in has ended', async () => {
    const server = await startCallbackServer('the-right-state');
    const address = `${server.redirectUri}?code=c&state=the-right-state`;
    const first = fetch(address);
    assert.equal((await server.answer).href, address);
    const second = await fetch(address);
    assert.equal(second.status, 410);
    assert.match(await second.text(), /This sign-in is over/);
    await server.close('signed-in');
    const shown = await first;
    assert.equal(shown.status, 200);
    assert.match(await shown.text(), /You are signed in/);
    await assert.rejects(fetch(address), 'nobody listens any more');
  });

  it('takes nothing but a GET of its one path, addressed to itself', async () => {
    const server = await startCallbackServer('s');
    const { origin } = new URL(server.redirectUri);
    assert.equal((await fetch(`${origin}/favicon.ico`)).status, 404);
    assert.equal((await fetch(`${server.redirectUri}?state=s`, { method: 'POST' })).status, 404);
    const rebound = await new Promise<number | undefined>((resolve, reject) => {
      request(`${server.redirectUri}?state=s`, { headers: { host: 'rebound.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    assert.equal(rebound, 404, 'another name for the same address is not served');

    // None of these counted as the answer.
    const right = fetch(`${server.redirectUri}?state=s`);
    await server.answer;
    await server.close('failed');
    assert.equal((await right).status, 400);
  });
});
