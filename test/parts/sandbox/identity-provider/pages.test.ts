import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import {
  createHeadlessBrowser,
  type Page,
} from '../../../../src/sandbox/identity-provider/headless-browser.ts';
import { logIn } from '../../../../src/sandbox/identity-provider/headless-sign-in.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../../src/sandbox/identity-provider/index.ts';

describe("the identity provider's pages", () => {
  let idp: RunningIdentityProvider;
  before(async () => {
    idp = await startIdentityProvider();
  });
  after(() => idp.close());

  const authorizationUrl = (changes: Record<string, string> = {}): string => {
    const parameters = {
      client_id: EDITOR_CLIENT_ID,
      response_type: 'code',
      redirect_uri: 'http://127.0.0.1:1/callback',
      scope: EDITOR_SCOPES.join(' '),
      resource: OAM_AUDIENCE,
      code_challenge: createHash('sha256').update('verifier').digest('base64url'),
      code_challenge_method: 'S256',
      state: 's',
      ...changes,
    };
    return `${idp.issuer}/auth?${new URLSearchParams(parameters).toString()}`;
  };
  const loginPage = (): Promise<Page> => createHeadlessBrowser().open(authorizationUrl());

  it('label every field, set focus, and load nothing from elsewhere', async () => {
    const browser = createHeadlessBrowser();
    const login = await browser.open(authorizationUrl());
    const device = await browser.open(`${idp.issuer}/device`);
    for (const { html } of [login, device]) {
      assert.match(html, /<html lang="en">/);
      const fields = [...html.matchAll(/<input id="(\w+)"/g)].map(([, id]) => id);
      assert.ok(fields.length > 0);
      for (const id of fields) assert.ok(html.includes(`<label for="${id}">`), `${id} has a label`);
      assert.equal([...html.matchAll(/ autofocus/g)].length, 1);
      assert.match(html, /prefers-color-scheme: dark/);
      assert.doesNotMatch(html, /<script|src="|href="http|url\(/);
    }
  });

  it('allow browsers only what they need: their own style, by its hash', async () => {
    const response = await fetch(`${idp.issuer}/device`, { headers: { accept: 'text/html' } });
    const html = await response.text();
    const style = /<style>([\s\S]*?)<\/style>/.exec(html)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.ok(policy.includes(`style-src 'sha256-${hash}'`));
    assert.ok(policy.includes("default-src 'none'"));
    assert.ok(policy.includes("frame-ancestors 'none'"));
  });

  it('say that a password is wrong, keep the name, and let nobody in', async () => {
    const browser = createHeadlessBrowser();
    const login = await browser.open(authorizationUrl());
    for (const person of [
      { userName: PEOPLE.ana.userName, password: 'not-their-password' },
      { userName: PEOPLE.ana.userName, password: PEOPLE.lena.password },
      { userName: 'nobody@example.com', password: PEOPLE.ana.password },
    ]) {
      const again = await logIn(browser, login, person);
      assert.equal(again.status, 401);
      assert.match(again.html, /role="alert"[^>]*>The user name or the password is wrong/);
      assert.ok(again.html.includes(`value="${person.userName}"`));
      assert.ok(!again.html.includes(person.password));
    }
    await assert.rejects(logIn(browser, login, PEOPLE.ana), /fetch failed/, 'the editor would listen there');
  });

  it('write what somebody typed as text, never as a page', async () => {
    const browser = createHeadlessBrowser();
    const page = await logIn(browser, await browser.open(authorizationUrl()), {
      userName: '"><script>alert(1)</script>',
      password: 'x',
    });
    assert.doesNotMatch(page.html, /<script/);
    assert.ok(page.html.includes('&quot;&gt;&lt;script&gt;'));
  });

  it('say what is wrong with a code', async () => {
    const browser = createHeadlessBrowser();
    const entry = await browser.open(`${idp.issuer}/device`);
    const unknown = await browser.submit(entry, { user_code: 'BBBB-BBBB' });
    assert.match(unknown.html, /There is no such code/);
    const empty = await browser.submit(unknown, { user_code: '' });
    assert.match(empty.html, /There is no such code/);
  });

  it('do not let one browser finish what another began', async () => {
    const login = await loginPage();
    const stranger = createHeadlessBrowser();
    const refused = await logIn(stranger, login, PEOPLE.ana);
    assert.equal(refused.status, 400);
    assert.match(refused.html, /This sign-in has expired/);
  });

  it('turn away what is no sign-in of this client', async () => {
    const browser = createHeadlessBrowser();
    for (const changes of [
      { client_id: 'somebody-else' },
      { redirect_uri: 'https://evil.example/callback' },
      { redirect_uri: 'http://127.0.0.1:1/elsewhere' },
    ]) {
      const page = await browser.open(authorizationUrl(changes));
      assert.ok(page.url.startsWith(idp.issuer), 'nobody is sent on');
      assert.equal(page.status, 400);
      assert.match(page.html, /This did not work/);
    }
    const answer = await fetch(authorizationUrl({ code_challenge: '' }), { redirect: 'manual' });
    assert.match(answer.headers.get('location') ?? '', /error=invalid_request/, 'PKCE is not optional');
  });

  it('refuse a form that is too large', async () => {
    const browser = createHeadlessBrowser();
    const login = await browser.open(authorizationUrl());
    const page = await logIn(browser, login, { userName: 'a'.repeat(20_000), password: 'x' });
    assert.equal(page.status, 413);
  });
});
