import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { personTokenSource } from '../../../src/broker/index.ts';
import { hostTrust } from '../../../src/databricks/index.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/time.ts';
import {
  createDatabricksSignIns,
  type DatabricksSignIns,
  type DatabricksSignInsOptions,
  fileRefreshLock,
  memorySessionStore,
  processRefreshLock,
  type SessionStore,
} from '../../../src/identity/index.ts';
import type { HttpTransport } from '../../../src/protocol/transport.ts';
import { PEOPLE, type Person } from '../../../src/sandbox/identity-provider/index.ts';
import { CLI, coded, COMPANY_CLIENT, databricksStage, keyOf, transport } from './databricks-stage.ts';

describe("a person's own sign-in at Databricks (U2M)", () => {
  const stage = databricksStage();
  const { clock, signIn, userOf } = stage;

  describe('is kept', () => {
    let store: SessionStore;
    let sent: string[];
    const { ana, omar } = PEOPLE;
    const workspace = () => ({ host: stage.host, clientId: CLI });
    const counting: HttpTransport = (request) => {
      sent.push(`${request.method} ${new URL(request.url).pathname}`);
      return transport(request);
    };
    const keeper = (changes: Partial<DatabricksSignInsOptions> = {}): DatabricksSignIns =>
      createDatabricksSignIns({
        store,
        lock: processRefreshLock(),
        trust: () => hostTrust([stage.host]),
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
      await assert.rejects(signIns.token({ host: stage.host, clientId: COMPANY_CLIENT }, keyOf(ana)), needed);
      const { dev } = stage.databricks.workspaces;
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
      stage.databricks.tune({ failNext: { status: 503, count: 2, path: /\/oidc\// } });
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
          revocation_endpoint: `${stage.host}/oidc/v1/revoke`,
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
      for (const text of ['', '{', '[]', '{"a":1}', JSON.stringify({ [stage.host]: { id: 'x' } })]) {
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
        ...{ store: memorySessionStore(), lock: processRefreshLock(), trust: () => hostTrust([stage.host]) },
        ...{ transport, clock, logger: silentLogger, redactor: createRedactor() },
      });
      const workspace = { host: stage.host, clientId: CLI };
      await signIns.accept(workspace, keyOf(ana), await signIn(ana));
      let acting: Person = ana;
      const sourceWith = (trusted: readonly string[], assumeGroup?: string) =>
        personTokenSource({
          host: stage.host,
          session: { subjectToken: () => assert.fail('The ID token was asked for.') },
          ownSignIn: () => ({
            person: () => Promise.resolve(keyOf(acting)),
            token: (person, signal) => signIns.token(workspace, person, signal),
          }),
          ...{ trust: hostTrust(trusted), transport, clock, redactor: createRedactor() },
          ...(assumeGroup !== undefined && { assumeGroup }),
        });
      const source = sourceWith([stage.host]);
      assert.equal(await userOf((await source.token()).accessToken), ana.userName);
      acting = omar;
      await assert.rejects(source.token(), coded('principal_changed'));
      acting = ana;
      await assert.rejects(sourceWith([]).token(), coded('untrusted_host'));
      await assert.rejects(sourceWith([stage.host], '9101').token(), coded('role_needs_exchange'));
    });
  });
});
