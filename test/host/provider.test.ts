import assert from 'node:assert/strict';

import * as vscode from 'vscode';

import { silentLogger } from '../../src/domain/logger.ts';
import { OamAuthenticationProvider } from '../../src/extension/authentication/provider.ts';
import { SignIn } from '../../src/extension/authentication/sign-in.ts';
import { UriCallbacks } from '../../src/extension/authentication/uri-callbacks.ts';
import { uriHandler } from '../../src/extension/authentication/uri-handler.ts';
import { EXTENSION_ID } from '../../src/extension/product.ts';
import { discoverIdentityProvider } from '../../src/identity/index.ts';
import { refreshSession } from '../../src/identity/refresh.ts';
import { parseSession } from '../../src/identity/session.ts';
import { logIn } from '../../src/sandbox/identity-provider/headless-sign-in.ts';
import { OAM_AUDIENCE, PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { type OwnConnection, ownConnection } from './own-connection.ts';
import { PersonAtWindow } from './person.ts';

const clock = { nowMs: () => Date.now() };

/** Signs in by an address of the editor, which the test hands over as the system would. */
async function signInByAddress(
  { connection, secrets }: OwnConnection,
  person: PersonAtWindow,
): Promise<void> {
  const uriCallbacks = new UriCallbacks({
    redirectUri: () => `${vscode.env.uriScheme}://${EXTENSION_ID}/callback`,
    secrets,
    clock,
    logger: silentLogger,
  });
  const noRequest = { handle: () => Promise.resolve(false) };
  const handler = uriHandler(uriCallbacks, noRequest, silentLogger);
  person.signsInAs(PEOPLE.omar, async (browser, url, credentials) => {
    const end = await logIn(browser, await browser.open(url), credentials);
    assert(end.url.startsWith(`${vscode.env.uriScheme}://${EXTENSION_ID}/callback?`), end.url);
    await handler.handleUri(vscode.Uri.parse(end.url, true));
    await handler.handleUri(vscode.Uri.parse(end.url, true));
  });
  const signIn = new SignIn({
    connection,
    uriCallbacks,
    acted: () => undefined,
    wantedFlow: () => 'uriHandler',
    clock,
    logger: silentLogger,
  });
  await signIn.run();
  await person.browsed();
}

describe('the account that other extensions see', () => {
  it('is shown without the network, changes with its tokens, and goes with its secret', async () => {
    using own = await ownConnection();
    using omar = new PersonAtWindow();
    const provider = new OamAuthenticationProvider({
      connection: own.connection,
      addAccount: () => assert.fail('nobody asked for another account'),
    });
    const events: vscode.AuthenticationProviderAuthenticationSessionsChangeEvent[] = [];
    provider.onDidChangeSessions((event) => events.push(event));
    assert.deepEqual(await provider.getSessions(), []);

    await signInByAddress(own, omar);
    assert(
      omar.told.some((text) => text.includes('No sign-in waits for this answer')),
      'the second answer',
    );
    const sent = own.sent();
    const [session] = await provider.getSessions(['openid']);
    assert.equal(session?.account.label, PEOPLE.omar.userName);
    assert.deepEqual(await provider.getSessions(['a-scope-that-nobody-granted']), []);
    assert.equal(own.sent(), sent);
    const [, payload = ''] = session.accessToken.split('.');
    assert.match(Buffer.from(payload, 'base64url').toString(), new RegExp(`"aud":"${OAM_AUDIENCE}"`));
    const [account] = own.connection.accounts;
    assert(account !== undefined);
    const store = own.stores.session(account.key);
    const kept = parseSession((await store.read()) ?? '');
    assert(kept?.refreshToken !== undefined);
    for (const secret of [kept.idToken, kept.refreshToken]) assert(!JSON.stringify(session).includes(secret));

    // Close to the end of its life the token is replaced, and whoever holds the session is told.
    own.hurry(kept.accessTokenExpiresAtMs - Date.now() - 1_000);
    assert(own.connection.state.kind === 'signedIn');
    await own.connection.state.client.call('getMe');
    const [renewed] = await provider.getSessions();
    assert.notEqual(renewed?.accessToken, session.accessToken);
    assert.deepEqual(
      events.map(({ added, removed, changed }) => [added?.length, removed?.length, changed?.length]),
      [
        [1, 0, 0],
        [0, 0, 1],
      ],
    );

    const last = parseSession((await store.read()) ?? '');
    const { identity } = own.connection.state.trust;
    await provider.removeSession(session.id);
    assert.deepEqual(await provider.getSessions(), []);
    assert.equal(await store.read(), undefined);
    assert.equal(await own.stores.list.read(), undefined);
    assert.deepEqual(
      events.at(-1)?.removed?.map(({ id }) => id),
      [session.id],
    );
    assert(last !== undefined);
    const discovered = await discoverIdentityProvider(identity);
    await assert.rejects(
      async () => {
        // Nobody waits for the provider to be told.
        for (let token = last; ;) token = await refreshSession(discovered, token);
      },
      { code: 'session_expired' },
    );
    provider.dispose();
  });
});
