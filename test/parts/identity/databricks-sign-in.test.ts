import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { personTokenSource } from '../../../src/broker/index.ts';
import { hostTrust, type RenewableToken } from '../../../src/databricks/index.ts';
import { CancelledError, hasCode } from '../../../src/domain/errors.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/time.ts';
import {
  createDatabricksSignIns,
  databricksCallbackPlace,
  type DatabricksSignIns,
  type DatabricksSignInsOptions,
  type ExpectedPerson,
  fileRefreshLock,
  memorySessionStore,
  processRefreshLock,
  type SessionStore,
  signInToDatabricks,
  startCallbackServer,
} from '../../../src/identity/index.ts';
import { axiosTransport, type HttpTransport } from '../../../src/protocol/transport.ts';
import {
  type RunningSandboxDatabricks,
  signInAtDatabricks,
  startSandboxDatabricks,
} from '../../../src/sandbox/databricks/index.ts';
import { createHeadlessBrowser } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import { PEOPLE, type Person } from '../../../src/sandbox/identity-provider/index.ts';

const CLI = 'databricks-cli';
const ISSUER = 'https://idp.example.com';
const COMPANY_CLIENT = 'oam-sign-in';

const keyOf = ({ sub }: { readonly sub: string }) => ({ iss: ISSUER, sub });
const expected = ({ sub }: Person): ExpectedPerson => ({ subject: sub, databricksAttribute: 'externalId' });
const coded = (code: string) => (error: unknown) => hasCode(error, code);

describe("a person's own sign-in at Databricks (U2M)", () => {
  let databricks: RunningSandboxDatabricks;
  let host: string;
  const clock = {
    aheadMs: 0,
    nowMs() {
      return Date.now() + this.aheadMs;
    },
  };

  before(async () => {
    databricks = await startSandboxDatabricks({
      identityProvider: { issuer: ISSUER, audience: 'nobody' },
      people: Object.values(PEOPLE),
      signInClients: [{ clientId: COMPANY_CLIENT, redirectUris: ['http://localhost:8020'] }],
      clock,
    });
    ({ host } = databricks.workspaces.prod);
  });
  after(() => databricks.close());
  beforeEach(() => {
    clock.aheadMs = 0;
    databricks.tune({ showExternalIds: true });
  });

  const transport = axiosTransport();
  const placeAt = (change: { clientId?: string; host?: string; transport?: HttpTransport } = {}) => ({
    ...{ host, clientId: CLI, trust: hostTrust([host]), transport, clock },
    ...change,
  });
  const listen =
    (clientId = CLI) =>
    (state: string) =>
      startCallbackServer(state, databricksCallbackPlace(clientId));
  const signIn = (
    person: Person,
    o: { at?: Person; clientId?: string; as?: ExpectedPerson; transport?: HttpTransport } = {},
  ): Promise<RenewableToken> =>
    signInToDatabricks(placeAt(o), o.as ?? expected(person), {
      listen: listen(o.clientId),
      openBrowser: (url) => void signInAtDatabricks(url, o.at ?? person),
    });
  const userOf = async (token: string): Promise<string> => {
    const answer = await fetch(`${host}/api/2.0/preview/scim/v2/Me`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return ((await answer.json()) as { userName: string }).userName;
  };

  describe('in the browser', () => {
    it('brings tokens of the person, by authorization code with PKCE at a fixed address of this machine', async () => {
      let asked: URLSearchParams | undefined;
      const token = await signInToDatabricks(placeAt(), expected(PEOPLE.ana), {
        listen: listen(),
        async openBrowser(url) {
          asked = new URL(url).searchParams;
          const end = await signInAtDatabricks(url, PEOPLE.ana);
          assert.match(end.html, /You are signed in/);
        },
      });
      assert.equal(await userOf(token.accessToken), PEOPLE.ana.userName);
      assert.ok(token.refreshToken);
      assert.match(asked?.get('redirect_uri') ?? '', /^http:\/\/localhost:80[234]\d$/);
      assert.equal(asked?.get('code_challenge_method'), 'S256');
      assert.equal(asked?.get('scope'), 'all-apis offline_access');
    });

    it('takes the next port where somebody else has the first one, and says so where there is none', async () => {
      const squatter = createServer().listen(8020, '127.0.0.1');
      try {
        await new Promise((resolve) => squatter.once('listening', resolve).once('error', resolve));
        const token = await signIn(PEOPLE.omar);
        assert.equal(await userOf(token.accessToken), PEOPLE.omar.userName);
        await assert.rejects(listen(COMPANY_CLIENT)('state'), coded('loopback_unavailable'));
      } finally {
        squatter.close();
      }
    });

    it("asks for consent as an application of the company's own, once", async () => {
      const browser = createHeadlessBrowser();
      const once = async (): Promise<string> => {
        const seen = Promise.withResolvers<string>();
        const token = await signInToDatabricks(placeAt({ clientId: COMPANY_CLIENT }), expected(PEOPLE.ana), {
          listen: listen(COMPANY_CLIENT),
          async openBrowser(url) {
            const fields = { user_name: PEOPLE.ana.userName, password: PEOPLE.ana.password };
            const next = await browser.submit(await browser.open(url), fields, 'do=sign-in');
            if (next.html.includes('value="allow"')) await browser.submit(next, {}, 'do=allow');
            seen.resolve(next.html);
          },
        });
        assert.ok(token.refreshToken);
        return seen.promise;
      };
      assert.match(await once(), /oam-sign-in asks to act as you/);
      assert.match(await once(), /You are signed in/);
    });

    it('says so where the person cancels, where nobody finishes it, and ends silently where it is called off', async () => {
      const browser = createHeadlessBrowser();
      await assert.rejects(
        signInToDatabricks(placeAt(), expected(PEOPLE.ana), {
          listen: listen(),
          async openBrowser(url) {
            const fields = { user_name: '', password: '' };
            await browser.submit(await browser.open(url), fields, 'do=cancel');
          },
        }),
        coded('databricks_sign_in_denied'),
      );
      const idle = { listen: listen(), openBrowser: () => undefined };
      await assert.rejects(
        signInToDatabricks(placeAt(), expected(PEOPLE.ana), { ...idle, timeoutMs: 50 }),
        coded('sign_in_timed_out'),
      );
      const stop = new AbortController();
      const openBrowser = () => {
        stop.abort();
      };
      await assert.rejects(
        signInToDatabricks(placeAt(), expected(PEOPLE.ana), { ...idle, openBrowser, signal: stop.signal }),
        CancelledError,
      );
    });

    it('gives the code of another workspace to none that calls itself by the name of that one', async () => {
      const elsewhere = 'https://dbc-2.cloud.databricks.com/oidc';
      const redeemed: string[] = [];
      const inDisguise: HttpTransport = async (request) => {
        if (request.method === 'POST') redeemed.push(request.url);
        const answer = await transport(request);
        if (!request.url.endsWith('/oauth-authorization-server')) return answer;
        return {
          ...answer,
          text: JSON.stringify({ ...(JSON.parse(answer.text) as object), issuer: elsewhere }),
        };
      };
      await assert.rejects(
        signInToDatabricks(placeAt({ transport: inDisguise }), expected(PEOPLE.ana), {
          listen: listen(),
          openBrowser(url) {
            const page = new URL(url).searchParams;
            const back = new URL(page.get('redirect_uri') ?? '');
            back.search = new URLSearchParams({
              ...{ code: 'c', state: page.get('state') ?? '', iss: elsewhere },
            }).toString();
            void fetch(back);
          },
        }),
        coded('databricks_sign_in_mixed_up'),
      );
      assert.deepEqual(redeemed, []);
    });

    const answers: readonly [string, (redirect: URL, state: string) => Record<string, string>, string][] = [
      ['with another state', () => ({ code: 'c', state: 'of-another-tab' }), 'state_mismatch'],
      [
        'from another workspace',
        (_, state) => ({ code: 'c', state, iss: 'https://dbc-2.cloud.databricks.com/oidc' }),
        'databricks_sign_in_mixed_up',
      ],
      ['that hides where it is from', (_, state) => ({ code: 'c', state }), 'databricks_sign_in_mixed_up'],
      [
        'with a code that is none',
        (_, state) => ({ code: 'stolen', state, iss: `${host}/oidc` }),
        'databricks_token_refused',
      ],
      ['with nothing', (_, state) => ({ state, iss: `${host}/oidc` }), 'databricks_sign_in_denied'],
      [
        'that the client is not registered',
        (_, state) => ({ error: 'unauthorized_client', state, iss: `${host}/oidc` }),
        'databricks_sign_in_refused',
      ],
    ];
    for (const [what, answer, code] of answers) {
      it(`signs nobody in by an answer ${what}`, async () => {
        await assert.rejects(
          signInToDatabricks(placeAt(), expected(PEOPLE.ana), {
            listen: listen(),
            openBrowser(url) {
              const page = new URL(url).searchParams;
              const back = new URL(page.get('redirect_uri') ?? '');
              for (const [name, value] of Object.entries(answer(back, page.get('state') ?? ''))) {
                back.searchParams.set(name, value);
              }
              void fetch(back);
            },
          }),
          coded(code),
        );
      });
    }
  });

  describe('must be of the person who is signed in here', () => {
    it('is thrown away where somebody else signs in, whatever they are called', async () => {
      await assert.rejects(
        signIn(PEOPLE.ana, { at: PEOPLE.omar }),
        (error) => hasCode(error, 'databricks_other_person') && error.detail === PEOPLE.omar.userName,
      );
      // The name of the one with the id of the other is nobody.
      await assert.rejects(
        signIn(PEOPLE.ana, { as: { ...expected(PEOPLE.ana), subject: PEOPLE.ana.userName } }),
        coded('databricks_other_person'),
      );
    });

    it('is taken where Databricks shows no external id but finds this very user by it', async () => {
      databricks.tune({ showExternalIds: false });
      const token = await signIn(PEOPLE.ana);
      assert.equal(await userOf(token.accessToken), PEOPLE.ana.userName);
      await assert.rejects(signIn(PEOPLE.ana, { at: PEOPLE.omar }), coded('databricks_other_person'));
    });

    it('is thrown away where Databricks cannot tell whose it is: a name proves nothing', async () => {
      databricks.tune({ showExternalIds: false });
      const stranger = { ...expected(PEOPLE.ana), subject: 'sub-that-databricks-does-not-know' };
      await assert.rejects(signIn(PEOPLE.ana, { as: stranger }), coded('databricks_person_unknown'));
      databricks.tune({
        failNext: { status: 403, count: 1, path: /resolve-by-external-id/ },
      });
      await assert.rejects(signIn(PEOPLE.ana), coded('databricks_person_unknown'));
    });

    it('is compared by the user name where Databricks itself is the identity provider', async () => {
      const as = { subject: PEOPLE.ana.userName, databricksAttribute: 'userName' } as const;
      assert.ok((await signIn(PEOPLE.ana, { as })).refreshToken);
      await assert.rejects(signIn(PEOPLE.ana, { at: PEOPLE.omar, as }), coded('databricks_other_person'));
    });
  });

  describe('is kept', () => {
    let store: SessionStore;
    let sent: string[];
    const { ana, omar } = PEOPLE;
    const workspace = () => ({ host, clientId: CLI });
    const counting: HttpTransport = (request) => {
      sent.push(`${request.method} ${new URL(request.url).pathname}`);
      return transport(request);
    };
    const keeper = (changes: Partial<DatabricksSignInsOptions> = {}): DatabricksSignIns =>
      createDatabricksSignIns({
        store,
        lock: processRefreshLock(),
        trust: () => hostTrust([host]),
        transport: counting,
        clock,
        logger: silentLogger,
        redactor: createRedactor(),
        ...changes,
      });
    const refreshes = () => sent.filter((line) => line === 'POST /oidc/v1/token').length;

    beforeEach(() => {
      store = memorySessionStore();
      sent = [];
    });

    it('for its person, workspace and client, and for nobody else', async () => {
      const signIns = keeper();
      const needed = coded('databricks_own_sign_in_needed');
      await assert.rejects(signIns.token(workspace(), keyOf(ana)), needed);
      const token = await signIn(ana);
      await signIns.accept(workspace(), keyOf(ana), token);
      assert.equal((await signIns.token(workspace(), keyOf(ana))).accessToken, token.accessToken);
      await assert.rejects(signIns.token(workspace(), keyOf(omar)), needed);
      await assert.rejects(
        signIns.token(workspace(), { iss: 'https://other.example', sub: ana.sub }),
        needed,
      );
      await assert.rejects(signIns.token({ host, clientId: COMPANY_CLIENT }, keyOf(ana)), needed);
      const { dev } = databricks.workspaces;
      await assert.rejects(signIns.token({ host: dev.host, clientId: CLI }, keyOf(ana)), needed);
      assert.deepEqual(sent, []);
    });

    it('and renewed ahead of its end, by one refresh for all who ask, in two windows', async () => {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'oam-u2m-'));
      try {
        const one = keeper({ lock: fileRefreshLock(folder) });
        const two = keeper({ lock: fileRefreshLock(folder) });
        await one.accept(workspace(), keyOf(ana), await signIn(ana));
        for (let rotation = 1; rotation <= 10; rotation++) {
          clock.aheadMs += 58 * MINUTE_MS;
          const tokens = await Promise.all(
            [one, two, one, two].map((signIns) => signIns.token(workspace(), keyOf(ana))),
          );
          assert.equal(new Set(tokens.map(({ accessToken }) => accessToken)).size, 1);
          assert.equal(refreshes(), rotation);
          assert.equal(await userOf(tokens[0]?.accessToken ?? ''), ana.userName);
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });

    it('until a refresh token comes a second time: then it is over for whoever has it, which is said once', async () => {
      const signIns = keeper();
      const token = await signIn(ana);
      await signIns.accept(workspace(), keyOf(ana), token);
      clock.aheadMs += 58 * MINUTE_MS;
      await signIns.token(workspace(), keyOf(ana));
      // A thief with the spent one.
      const thief = keeper({ store: memorySessionStore() });
      await thief.accept(workspace(), keyOf(ana), token);
      clock.aheadMs += HOUR_MS;
      await assert.rejects(thief.token(workspace(), keyOf(ana)), coded('databricks_sign_in_ended'));
      await assert.rejects(signIns.token(workspace(), keyOf(ana)), coded('databricks_sign_in_ended'));
      await assert.rejects(signIns.token(workspace(), keyOf(ana)), coded('databricks_own_sign_in_needed'));
    });

    it('where another machine rotated first: what it stored is used, without a word', async () => {
      const here = keeper();
      await here.accept(workspace(), keyOf(ana), await signIn(ana));
      clock.aheadMs += 58 * MINUTE_MS;
      const there = keeper();
      let raced = false;
      const racing: SessionStore = {
        ...store,
        async read() {
          const text = await store.read();
          if (!raced) {
            raced = true;
            await there.token(workspace(), keyOf(ana));
          }
          return text;
        },
      };
      const late = keeper({ store: racing });
      const mine = await late.token(workspace(), keyOf(ana));
      assert.equal(mine.accessToken, (await there.token(workspace(), keyOf(ana))).accessToken);
    });

    it('through trouble at Databricks as long as the token lives, and asks again afterwards', async () => {
      const signIns = keeper();
      const token = await signIn(ana);
      await signIns.accept(workspace(), keyOf(ana), token);
      clock.aheadMs += 58 * MINUTE_MS;
      databricks.tune({ failNext: { status: 503, count: 2, path: /\/oidc\// } });
      assert.equal((await signIns.token(workspace(), keyOf(ana))).accessToken, token.accessToken);
      clock.aheadMs += 2 * MINUTE_MS;
      await assert.rejects(signIns.token(workspace(), keyOf(ana)), coded('databricks_unavailable'));
      assert.equal(await userOf((await signIns.token(workspace(), keyOf(ana))).accessToken), ana.userName);
    });

    it('in memory where the store takes nothing, over several renewals', async () => {
      const signIns = keeper({
        store: { ...store, write: () => Promise.reject(new Error('The keychain is locked.')) },
      });
      await keeper().accept(workspace(), keyOf(ana), await signIn(ana));
      for (let times = 0; times < 3; times++) {
        clock.aheadMs += 58 * MINUTE_MS;
        const { accessToken } = await signIns.token(workspace(), keyOf(ana));
        assert.equal(await userOf(accessToken), ana.userName);
      }
      await assert.rejects(
        signIns.accept(workspace(), keyOf(ana), await signIn(ana)),
        coded('session_not_kept'),
      );
    });

    it('not beyond a sign-out, also not by a renewal that was under way', async () => {
      const gate = Promise.withResolvers<void>();
      const signIns = keeper({
        transport: async (request) => {
          const answer = await transport(request);
          if (request.method === 'POST') await gate.promise;
          return answer;
        },
      });
      await signIns.accept(workspace(), keyOf(ana), await signIn(ana));
      clock.aheadMs += 58 * MINUTE_MS;
      const late = signIns.token(workspace(), keyOf(ana));
      late.catch(() => undefined);
      const leaving = signIns.signOut();
      await new Promise((resolve) => setImmediate(resolve));
      gate.resolve();
      const { atDatabricks } = await leaving;
      await assert.rejects(late, coded('databricks_own_sign_in_needed'));
      assert.equal(await store.read(), undefined);
      // Databricks has no way to be told.
      assert.equal(await atDatabricks, false);
      await assert.rejects(signIns.token(workspace(), keyOf(ana)), coded('databricks_own_sign_in_needed'));
    });

    it('not beyond a sign-out in another window, and a new sign-in is not undone by the old one', async () => {
      const [one, two] = [keeper(), keeper()];
      await one.accept(workspace(), keyOf(ana), await signIn(ana));
      await two.token(workspace(), keyOf(ana));
      await one.signOut();
      await assert.rejects(two.token(workspace(), keyOf(ana)), coded('databricks_own_sign_in_needed'));
      await one.accept(workspace(), keyOf(ana), await signIn(ana));
      assert.equal(await userOf((await two.token(workspace(), keyOf(ana))).accessToken), ana.userName);
    });

    it('and is revoked where the workspace has an endpoint for it', async () => {
      const revoked: string[] = [];
      const withEndpoint: HttpTransport = async (request) => {
        if (request.url.endsWith('/oidc/v1/revoke')) {
          revoked.push(new URLSearchParams(request.body).get('token') ?? '');
          return { status: 200, headers: {}, text: '' };
        }
        const answer = await transport(request);
        if (!request.url.includes('.well-known')) return answer;
        const document = {
          ...(JSON.parse(answer.text) as object),
          revocation_endpoint: `${host}/oidc/v1/revoke`,
        };
        return { ...answer, text: JSON.stringify(document) };
      };
      const signIns = keeper({ transport: withEndpoint });
      const token = await signIn(ana);
      await signIns.accept(workspace(), keyOf(ana), token);
      const { atDatabricks } = await signIns.signOut();
      assert.equal(await atDatabricks, true);
      assert.deepEqual(revoked, [token.refreshToken]);
    });

    it('as text that anything may be written over', async () => {
      for (const text of ['', '{', '[]', '{"a":1}', JSON.stringify({ [host]: { id: 'x' } })]) {
        await store.write(text);
        await assert.rejects(
          keeper().token(workspace(), keyOf(ana)),
          coded('databricks_own_sign_in_needed'),
          text,
        );
      }
    });
  });

  describe('in the broker', () => {
    const { ana, omar } = PEOPLE;

    it('is the source in the place of an exchange, of the same person only, and never of a host that is not trusted', async () => {
      const signIns = createDatabricksSignIns({
        ...{ store: memorySessionStore(), lock: processRefreshLock(), trust: () => hostTrust([host]) },
        ...{ transport, clock, logger: silentLogger, redactor: createRedactor() },
      });
      const workspace = { host, clientId: CLI };
      await signIns.accept(workspace, keyOf(ana), await signIn(ana));
      let acting: Person = ana;
      const sourceWith = (trusted: readonly string[], assumeGroup?: string) =>
        personTokenSource({
          host,
          session: { subjectToken: () => assert.fail('The ID token was asked for.') },
          ownSignIn: () => ({
            person: () => Promise.resolve(keyOf(acting)),
            token: (person, signal) => signIns.token(workspace, person, signal),
          }),
          ...{ trust: hostTrust(trusted), transport, clock, redactor: createRedactor() },
          ...(assumeGroup !== undefined && { assumeGroup }),
        });
      const source = sourceWith([host]);
      assert.equal(await userOf((await source.token()).accessToken), ana.userName);
      acting = omar;
      await assert.rejects(source.token(), coded('principal_changed'));
      acting = ana;
      await assert.rejects(sourceWith([]).token(), coded('untrusted_host'));
      await assert.rejects(sourceWith([host], '9101').token(), coded('role_needs_exchange'));
    });
  });
});
