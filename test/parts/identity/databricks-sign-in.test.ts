import assert from 'node:assert/strict';
import { createServer } from 'node:http';

import { CancelledError, hasCode } from '../../../src/domain/errors.ts';
import { signInToDatabricks } from '../../../src/identity/index.ts';
import type { HttpTransport } from '../../../src/protocol/transport.ts';
import { signInAtDatabricks } from '../../../src/sandbox/databricks/index.ts';
import { createHeadlessBrowser } from '../../../src/sandbox/identity-provider/headless-browser.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { coded, COMPANY_CLIENT, databricksStage, expected, listen, transport } from './databricks-stage.ts';

describe("a person's own sign-in at Databricks (U2M)", () => {
  const stage = databricksStage();
  const { placeAt, signIn, userOf } = stage;

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
        (_, state) => ({ code: 'stolen', state, iss: `${stage.host}/oidc` }),
        'databricks_token_refused',
      ],
      ['with nothing', (_, state) => ({ state, iss: `${stage.host}/oidc` }), 'databricks_sign_in_denied'],
      [
        'that the client is not registered',
        (_, state) => ({ error: 'unauthorized_client', state, iss: `${stage.host}/oidc` }),
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
      stage.databricks.tune({ showExternalIds: false });
      const token = await signIn(PEOPLE.ana);
      assert.equal(await userOf(token.accessToken), PEOPLE.ana.userName);
      await assert.rejects(signIn(PEOPLE.ana, { at: PEOPLE.omar }), coded('databricks_other_person'));
    });

    it('is thrown away where Databricks cannot tell whose it is: a name proves nothing', async () => {
      stage.databricks.tune({ showExternalIds: false });
      const stranger = { ...expected(PEOPLE.ana), subject: 'sub-that-databricks-does-not-know' };
      await assert.rejects(signIn(PEOPLE.ana, { as: stranger }), coded('databricks_person_unknown'));
      stage.databricks.tune({
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
});
