import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
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

/** Where each item of bad input is tried: the file of the test, and its title as it stands there. */
const COVERED: readonly (readonly [item: string, file: string, title: string])[] = [
  ['forged token, at the client', 'parts/identity/bad-input', "'forged with another key'"],
  [
    'forged token, at the control plane',
    'parts/control-plane/authentication/doors',
    'tells another issuer from a forgery',
  ],
  ['expired token, at the client', 'parts/identity/bad-input', '    expired: (claims)'],
  [
    'expired token, at the control plane',
    'parts/control-plane/authentication/doors',
    'says that a session has expired',
  ],
  ['token of the future, at the client', 'parts/identity/bad-input', "'of the future'"],
  [
    'token of the future, at the control plane',
    'parts/control-plane/authentication/doors',
    "'of the future'",
  ],
  ['token for another audience, at the client', 'parts/identity/audiences', 'where the access token ${what}'],
  [
    'token for another audience, at the control plane',
    'parts/control-plane/authentication/doors',
    'to neither ID token nor a Databricks token',
  ],
  ['alg:none, at the client', 'parts/identity/bad-input', "'signed by nobody (alg none)'"],
  ['alg:none, at the control plane', 'parts/control-plane/authentication/doors', "{ alg: 'none' }"],
  [
    'HS256 with the public key, at the client',
    'parts/identity/bad-input',
    "'signed with the public key as a secret (HS256)'",
  ],
  [
    'HS256 with the public key, at the control plane',
    'parts/control-plane/authentication/doors',
    "alg: 'HS256'",
  ],
  ['replayed ID token', 'parts/identity/bad-input', "'replayed from another sign-in'"],
  [
    'replayed refresh token, of the identity provider',
    'parts/extension/rotations',
    'at a provider that notices reuse',
  ],
  [
    'replayed refresh token, of Databricks',
    'parts/identity/databricks-sign-in',
    'until a refresh token comes a second time',
  ],
  ['truncated token, at the client', 'parts/identity/bad-input', '    truncated: async (claims)'],
  [
    'truncated token, at the control plane',
    'parts/control-plane/authentication/doors',
    'truncated: good.slice',
  ],
  ['another state', 'parts/identity/loopback', 'refuses an answer with another state'],
  ['another state, at Databricks', 'parts/identity/databricks-sign-in', "'with another state'"],
  ['another nonce', 'parts/identity/bad-input', "'without the nonce'"],
  ['a second callback, to the loopback interface', 'parts/identity/loopback', 'takes one answer only'],
  [
    'a second callback, to an address of the editor',
    'unit/extension/uri-callbacks',
    'are passed on once: a second one changes nothing',
  ],
  ['a callback from another tab', 'parts/identity/databricks-sign-in', "state: 'of-another-tab'"],
  [
    'a callback in another window',
    'unit/extension/uri-callbacks',
    'reach the window that asked when another one got them',
  ],
  [
    'a callback that nobody waits for',
    'unit/extension/uri-callbacks',
    'that nobody waits for have no effect',
  ],
  [
    'a callback of another issuer',
    'parts/identity/loopback',
    'refuses an answer from another issuer, and one that hides its issuer',
  ],
  ['an identity provider that answers slowly', 'parts/identity/bad-input', "'nothing, for too long'"],
  ['… with HTML', 'parts/identity/bad-input', "'a page of HTML'"],
  ['… with redirects', 'parts/identity/bad-input', "'a redirect'"],
  ['… with 500s', 'parts/identity/bad-input', "'status 500'"],
  ['… the same at discovery', 'parts/identity/discovery', 'does not follow a redirect'],
  [
    'a refresh token that was rotated elsewhere',
    'parts/identity/session-keeper',
    'reads again before it believes that the session is over',
  ],
  [
    "… that of Databricks' own sign-in",
    'parts/identity/databricks-sign-in',
    'where another machine rotated first',
  ],
  [
    'a clock ten minutes off, at a sign-in',
    'parts/identity/bad-input',
    'says that the clock is off where it is ten minutes',
  ],
  [
    'a clock ten minutes off, at a refresh',
    'parts/identity/session-keeper',
    'does not mistake a clock that is ahead for the end of the session',
  ],
  ['a clock ten minutes off, in Diagnose', 'parts/extension/diagnose', 'the clock is ten minutes ahead'],
  [
    'a control plane that names a foreign workspace host, in the broker',
    'unit/broker/token-source',
    'are not asked for at a host that nobody trusts',
  ],
  [
    "… for Databricks' own sign-in",
    'parts/extension/databricks-sign-in',
    'goes to no host that the control plane names and the person does not trust',
  ],
  ['… in Diagnose', 'parts/extension/diagnose', 'the control plane names a foreign workspace host'],
  [
    '… at the command line',
    'parts/cli/real-parts',
    'starts nothing for a workspace host that the person does not trust',
  ],
  [
    'a workspace that names a token endpoint of another origin',
    'unit/databricks/tokens',
    'are not asked for at an endpoint of another origin',
  ],
  ['a token endpoint that redirects', 'unit/databricks/tokens', 'are not followed through a redirect'],
];

/** The two doors: what was tried at which of them, in the same form. */
const DOORS: typeof COVERED = [
  [
    'the access token at a workspace',
    'parts/control-plane/authentication/doors',
    "And the access token at Databricks' door.",
  ],
  [
    "the access token at a workspace, by Databricks' SDK",
    'clients/databricks-sdk',
    'access token at the wrong door',
  ],
  [
    'the ID token at the control plane',
    'parts/control-plane/authentication/doors',
    'codeOf(session.idToken)',
  ],
  [
    "a workspace's token at the control plane",
    'parts/control-plane/authentication/doors',
    'codeOf(personal.accessToken)',
  ],
  [
    "the token of Databricks' own sign-in at the control plane",
    'parts/control-plane/authentication/doors',
    'own sign-in at Databricks (U2M)',
  ],
  [
    'a token for both, at the control plane',
    'parts/control-plane/authentication/doors',
    'stays shut to a token that would open both doors',
  ],
  ['a token for both, at a sign-in', 'parts/identity/audiences', 'opens both doors'],
  [
    'a set-up with one audience for both, at the client',
    'parts/identity/discovery',
    'refuses a configuration in which one token would open both doors',
  ],
  [
    'a set-up with one audience for both, at the control plane',
    'unit/control-plane/configuration/configuration',
    'one token',
  ],
  [
    'a set-up with one audience for both, at the command line',
    'parts/cli/databricks-sign-in',
    'signs nobody in where one token would open both doors',
  ],
  ['one token for both, in Diagnose', 'parts/extension/diagnose', 'and one token for two doors'],
  [
    'a foreign host, in the broker',
    'unit/broker/token-source',
    'are not asked for at a host that nobody trusts',
  ],
  [
    "a foreign host, for Databricks' own sign-in in the broker",
    'parts/identity/databricks-sign-in',
    'never of a host that is not trusted',
  ],
  [
    'a foreign host, in the editor',
    'parts/extension/databricks-sign-in',
    'goes to no host that the control plane names',
  ],
  [
    'a foreign host, in Diagnose',
    'parts/extension/diagnose',
    'the control plane names a foreign workspace host',
  ],
  [
    'a foreign host, at the command line',
    'parts/cli/databricks-sign-in',
    'opens no page of a host that the person does not trust',
  ],
  [
    "a workspace of Databricks' own domains that only a grant names, at the command line",
    'unit/cli/foreign-host',
    'gets no sign-in sent there, and starts nothing',
  ],
  [
    "a workspace of Databricks' own domains that only a grant names, in the side bar",
    'unit/extension/access-model',
    'is not read in a workspace that only a grant names',
  ],
  ['a workspace that hides behind the name of another one', 'unit/cli/pins', 'is one host for each name'],
  ['another host for a role than its person signed in at', 'unit/broker/role-tokens', 'another workspace'],
  ['a token endpoint that redirects', 'unit/databricks/tokens', 'are not followed through a redirect'],
  [
    "a token endpoint that redirects, of Databricks' own sign-in",
    'unit/databricks/user-sign-in',
    'not where the token endpoint redirects to',
  ],
  [
    'a token endpoint of another origin',
    'unit/databricks/tokens',
    'are not asked for at an endpoint of another origin',
  ],
  [
    "endpoints of another origin, of Databricks' own sign-in",
    'unit/databricks/user-sign-in',
    'not where the workspace names another ${endpoint}',
  ],
  [
    'a change of whom is trusted, in the editor',
    'unit/extension/connection',
    'changes are named, old and new',
  ],
  [
    'a change of where tokens come from, in the editor',
    'parts/extension/databricks-sign-in',
    'asks before it follows a change of where tokens come from',
  ],
  [
    'a change of whom is trusted, at the command line',
    'unit/cli/pins',
    'is held against it, with old and new, until the person agrees',
  ],
];

for (const [what, table] of [
  ['every item of bad input of a sign-in is tried', COVERED],
  ['every attack on the two doors is tried', DOORS],
] as const) {
  describe(what, () => {
    for (const [item, file, title] of table) {
      it(`${item}: in ${file}`, () => {
        const text = readFileSync(new URL(`../../${file}.test.ts`, import.meta.url), 'utf8');
        // Once more in this very file, where the table names it.
        const times = text.split(title).length - 1;
        assert.ok(times > (file === 'parts/identity/bad-input' ? 1 : 0), `no such test: ${title}`);
      });
    }
  });
}
