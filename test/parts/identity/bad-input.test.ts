import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';

import { type JWTPayload, SignJWT } from 'jose';

import { OamError } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import {
  createSessionKeeper,
  discoverIdentityProvider,
  memorySessionStore,
  processRefreshLock,
  type Session,
  signInWithLoopback,
} from '../../../src/identity/index.ts';
import { OAM_AUDIENCE } from '../../../src/sandbox/identity-provider/index.ts';
import { type CrookedProvider, sendJson, startCrookedProvider } from './crooked-provider.ts';
import { configurationOf } from './sign-in.ts';

const TIMEOUT_MS = 300;

describe('bad input of a sign-in', function () {
  this.timeout(20_000);
  let provider: CrookedProvider;
  let evil: { readonly origin: string; readonly asked: () => number; close(): void };

  before(async () => {
    let asked = 0;
    const server = createServer((_, response) => {
      asked += 1;
      sendJson(response, { access_token: 'x', token_type: 'Bearer' });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert(address !== null && typeof address === 'object');
    evil = {
      origin: `http://127.0.0.1:${address.port}`,
      asked: () => asked,
      close() {
        server.close();
        server.closeAllConnections();
      },
    };
  });
  after(() => evil.close());
  beforeEach(async () => {
    provider = await startCrookedProvider();
  });
  afterEach(() => provider.close());

  /** Signs in with a browser that goes straight back with a code. */
  const signIn = async (): Promise<Session> => {
    const discovered = await discoverIdentityProvider(configurationOf(provider), { timeoutMs: TIMEOUT_MS });
    return signInWithLoopback(discovered, {
      openBrowser(url) {
        const asked = new URL(url).searchParams;
        provider.nonce = asked.get('nonce') ?? '';
        const back = new URL(asked.get('redirect_uri') ?? '');
        back.searchParams.set('code', 'a-code');
        back.searchParams.set('state', asked.get('state') ?? '');
        void fetch(back).then(
          (answer) => answer.text(),
          () => undefined,
        );
      },
    });
  };
  /** Nobody is signed in, by one question, with one sentence that has no token in it. */
  const refused = async (attempt: Promise<unknown>): Promise<string> => {
    const error: unknown = await attempt.then(
      () => assert.fail('somebody was signed in'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof OamError, String(error));
    assert.match(error.sentence, /^[A-Z].*\.$/s);
    assert.doesNotMatch(error.message, /eyJ|refresh-\d/);
    return error.code;
  };

  it('is none of these: a provider that is in order', async () => {
    assert.equal((await signIn()).accessTokenExpiresAtMs > Date.now(), true);
  });

  const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
    'nothing, for too long': () => undefined,
    'half of its answer': (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"access_token":"eyJ');
    },
    'a page of HTML': (response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Please wait</html>');
    },
    'a redirect': (response) => {
      response.writeHead(307, { location: `${evil.origin}/token` }).end();
    },
    'status 500': (response) => {
      response.writeHead(500).end('{}');
    },
    'status 502 of a balancer': (response) => {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>');
    },
    'status 429': (response) => {
      response.writeHead(429, { 'retry-after': '60' }).end();
    },
    'a cut connection': (response) => {
      response.destroy();
    },
  };
  for (const [what, answer] of Object.entries(answers)) {
    it(`signs nobody in where the provider answers the code with ${what}: one question, one sentence`, async () => {
      provider.answers(answer);
      assert.match(await refused(signIn()), /^identity_provider_(unavailable|refused)$/);
      assert.equal(provider.asked(), 1);
      assert.equal(evil.asked(), 0);
    });

    it(`signs nobody out where it answers a refresh with ${what}`, async () => {
      const session = await signIn();
      const store = memorySessionStore();
      let aheadMs = 0;
      const keeper = createSessionKeeper({
        ...{ store, lock: processRefreshLock(), logger: silentLogger, redactor: createRedactor() },
        clock: { nowMs: () => Date.now() + aheadMs },
        identityProvider: () =>
          discoverIdentityProvider(configurationOf(provider), { timeoutMs: TIMEOUT_MS }),
      });
      await keeper.accept(session);
      provider.answers(answer);
      aheadMs = 10 * MINUTE_MS;
      const asked = provider.asked();
      assert.match(await refused(keeper.accessToken()), /^identity_provider_(unavailable|refused)$/);
      assert.equal(provider.asked(), asked + 1);
      assert.equal(keeper.state.kind, 'signed-in');
      assert.notEqual(await store.read(), undefined);
      provider.answers((response, tokens) => sendJson(response, tokens));
      assert.ok(await keeper.accessToken(), 'it goes on by itself');
      assert.equal(evil.asked(), 0);
    });
  }

  type Change = (claims: JWTPayload) => Promise<string> | string;
  const parts = (header: object, claims: JWTPayload): string =>
    [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const seconds = () => Math.floor(Date.now() / 1_000);
  const idTokens: Readonly<Record<string, Change>> = {
    'forged with another key': (claims) => provider.forge(claims),
    'signed by nobody (alg none)': (claims) => `${parts({ alg: 'none' }, claims)}.`,
    'signed with the public key as a secret (HS256)': (claims) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: 'one' })
        .sign(Buffer.from(JSON.stringify(provider.publicKey))),
    truncated: async (claims) => (await provider.sign(claims)).slice(0, -20),
    'without its signature': async (claims) => (await provider.sign(claims)).replace(/\.[^.]*$/, '.'),
    'with claims that were changed afterwards': async (claims) => {
      const [header, , signature] = (await provider.sign(claims)).split('.');
      const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'somebody-else' })).toString('base64url');
      return [header, changed, signature].join('.');
    },
    expired: (claims) => provider.sign({ ...claims, iat: seconds() - 900, exp: seconds() - 600 }),
    'of the future': (claims) => provider.sign({ ...claims, nbf: seconds() + 600 }),
    'replayed from another sign-in': (claims) => provider.sign({ ...claims, nonce: 'of-another-sign-in' }),
    'without the nonce': ({ nonce: _nonce, ...claims }) => provider.sign(claims),
    'for another client': (claims) => provider.sign({ ...claims, aud: 'another-client' }),
    'for OAM too': (claims) => provider.sign({ ...claims, aud: [String(claims.aud), OAM_AUDIENCE] }),
    'of another issuer': (claims) => provider.sign({ ...claims, iss: evil.origin }),
    'that is no token': () => 'not.a.token',
  };
  for (const [what, change] of Object.entries(idTokens)) {
    it(`signs nobody in by an ID token ${what}`, async () => {
      provider.answers((response, tokens) => {
        void Promise.resolve(change(provider.claims(provider.nonce).id)).then((id_token) => {
          sendJson(response, { ...tokens, id_token });
        });
      });
      await refused(signIn());
      assert.equal(provider.asked(), 1);
    });
  }

  const accessTokens: Readonly<Record<string, Change>> = {
    'for nobody that is known': (claims) => provider.sign({ ...claims, aud: 'urn:somebody:else' }),
    truncated: async (claims) => (await provider.sign(claims)).slice(0, 40),
    'of another issuer': (claims) => provider.sign({ ...claims, iss: evil.origin }),
    'that says nothing': () => 'opaque',
  };
  for (const [what, change] of Object.entries(accessTokens)) {
    it(`signs nobody in by an access token ${what}`, async () => {
      provider.answers((response, tokens) => {
        void Promise.resolve(change(provider.claims('').access)).then((access_token) => {
          sendJson(response, { ...tokens, access_token });
        });
      });
      assert.match(await refused(signIn()), /^wrong_(audience|issuer)$/);
    });
  }

  for (const [which, offSeconds] of [
    ['behind', 600],
    ['ahead', -600],
  ] as const) {
    it(`says that the clock is off where it is ten minutes ${which}, and signs nobody in`, async () => {
      provider.answers((response, tokens) => {
        const { id } = provider.claims(provider.nonce);
        const times = {
          iat: seconds() + offSeconds,
          nbf: seconds() + offSeconds,
          exp: seconds() + offSeconds + 300,
        };
        void provider.sign({ ...id, ...times }).then((id_token) => {
          sendJson(response, { ...tokens, id_token });
        });
      });
      assert.equal(await refused(signIn()), 'clock_off');
    });
  }
});
