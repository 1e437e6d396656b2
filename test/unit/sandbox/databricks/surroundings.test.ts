import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';

import { hasCode } from '../../../../src/domain/errors.ts';
import { type RunningSandboxDatabricks, SEED } from '../../../../src/sandbox/databricks/index.ts';
import type { FakeClock } from './stand-in.ts';
import { ANA, call, clientOf, serviceClientOf, startStandIn, transport } from './stand-in.ts';

describe('stand-in: trouble on demand', () => {
  let standIn: RunningSandboxDatabricks;
  let clock: FakeClock;
  let me: string;
  let token: string;

  beforeEach(async () => {
    ({ standIn, clock } = await startStandIn());
    me = `${standIn.workspaces.prod.host}/api/2.0/preview/scim/v2/Me`;
    token = standIn.personalAccessToken('prod', ANA.userName);
  });

  afterEach(() => standIn.close());

  it('fails as often as it was told to, where it was told to', async () => {
    standIn.tune({ failNext: { status: 503, count: 2, path: /\/Me$/, retryAfterSeconds: 7 } });
    assert.equal((await call('GET', `${standIn.workspaces.prod.host}/api/2.2/jobs/list`, token)).status, 200);
    const first = await call('GET', me, token);
    assert.equal(first.status, 503);
    assert.equal(first.headers['retry-after'], '7');
    assert.equal((await call('GET', me, token)).status, 503);
    assert.equal((await call('GET', me, token)).status, 200);
  });

  it('can lose the answer of a write that took effect', async () => {
    const core = await serviceClientOf(standIn, clock, standIn.coreCredentials);
    standIn.tune({ failNext: { status: 0, count: 1, method: 'PATCH', when: 'after' } });
    const { endpointQuery } = SEED.jitGroups;
    await assert.rejects(core.addGroupMembers(endpointQuery.id, [SEED.users.ana.id]), (error) =>
      hasCode(error, 'unreachable'),
    );
    assert.deepEqual(standIn.members(endpointQuery.id), [SEED.users.ana.id]);
  });

  it('limits a principal’s calls a minute, and lifts the limit again', async () => {
    standIn.tune({ rateLimitPerMinute: 3 });
    for (let times = 0; times < 3; times++) assert.equal((await call('GET', me, token)).status, 200);
    const over = await call('GET', me, token);
    assert.equal(over.status, 429);
    assert.equal(over.json['status'], '429');
    assert.ok(Number(over.headers['retry-after']) >= 59);
    clock.advance(Number(over.headers['retry-after']) * 1_000);
    assert.equal((await call('GET', me, token)).status, 200);
    standIn.tune({ rateLimitPerMinute: null });
    for (let times = 0; times < 5; times++) assert.equal((await call('GET', me, token)).status, 200);
  });

  it('remembers who called what, and no token', async () => {
    await clientOf(standIn, ANA.userName).me({ userAgentSuffix: 'grant/17' });
    const last = standIn.requests().at(-1);
    assert.equal(last?.principal, ANA.userName);
    assert.equal(last.path, '/api/2.0/preview/scim/v2/Me');
    assert.match(last.userAgent, /^dbx-oam\/\S+ grant\/17$/);
    assert.doesNotMatch(JSON.stringify(standIn.requests()), /dapi|dose|eyJ/);
  });

  it('asks who is calling, says when it does not know a path, and refuses a body that is no JSON', async () => {
    assert.equal((await call('GET', me, undefined)).status, 401);
    assert.equal((await call('GET', me, 'dapi00')).status, 403);
    const unknown = await call('GET', `${standIn.workspaces.prod.host}/api/9.9/x`, token);
    assert.equal(unknown.json['error_code'], 'ENDPOINT_NOT_FOUND');
    const broken = await transport({
      method: 'POST',
      url: `${standIn.workspaces.prod.host}/api/2.0/token/create`,
      headers: { authorization: `Bearer ${token}` },
      body: '{',
    });
    assert.equal(broken.status, 400);
  });

  it('says at once that a port is taken', async () => {
    const port = Number(new URL(standIn.workspaces.prod.host).port);
    await assert.rejects(startStandIn({ ports: { prod: port } }), { code: 'port_taken' });
  });
});

describe('stand-in: people sign in at Databricks itself', () => {
  let standIn: RunningSandboxDatabricks;
  let clock: FakeClock;
  let oidc: string;
  const verifier = randomBytes(32).toString('base64url');

  beforeEach(async () => {
    ({ standIn, clock } = await startStandIn());
    oidc = `${standIn.workspaces.prod.host}/oidc`;
  });

  afterEach(() => standIn.close());

  const authorize = (changes: Record<string, string> = {}) => {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: 'databricks-cli',
      redirect_uri: 'http://localhost:8020',
      scope: 'offline_access all-apis',
      state: 'state-1',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...changes,
    });
    return transport({ method: 'GET', url: `${oidc}/v1/authorize?${query.toString()}` });
  };

  const signIn = async (password: string = ANA.password) => {
    const { text } = await authorize();
    const id = /name="sign_in" value="([^"]+)"/.exec(text)?.[1] ?? '';
    return transport({
      method: 'POST',
      url: `${oidc}/v1/authorize`,
      body: new URLSearchParams({ sign_in: id, user_name: ANA.userName, password }).toString(),
    });
  };

  const redeem = (form: Record<string, string>) =>
    transport({
      method: 'POST',
      url: `${oidc}/v1/token`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ client_id: 'databricks-cli', ...form }).toString(),
    });

  const byCode = (code: string, codeVerifier: string = verifier) =>
    redeem({
      grant_type: 'authorization_code',
      code,
      code_verifier: codeVerifier,
      redirect_uri: 'http://localhost:8020',
    });

  const codeIn = (location: string | undefined): string =>
    new URL(location ?? '').searchParams.get('code') ?? '';

  it('gives a token and a refresh token that is good once', async () => {
    const back = await signIn();
    assert.equal(back.status, 302);
    const location = new URL(back.headers['location'] ?? '');
    assert.equal(location.searchParams.get('state'), 'state-1');
    assert.equal(location.searchParams.get('iss'), oidc);
    const answer = JSON.parse((await byCode(codeIn(location.href))).text) as Record<string, unknown>;
    const me = `${standIn.workspaces.prod.host}/api/2.0/preview/scim/v2/Me`;
    assert.equal((await call('GET', me, String(answer['access_token']))).json['userName'], ANA.userName);
    const refresh = () =>
      redeem({ grant_type: 'refresh_token', refresh_token: String(answer['refresh_token']) });
    assert.equal((await refresh()).status, 200);
    assert.equal((await refresh()).status, 400);
  });

  it('takes a code once, with its verifier, in time', async () => {
    const code = codeIn((await signIn()).headers['location']);
    assert.equal((await byCode(code, 'x'.repeat(43))).status, 400);
    // Spent by the wrong try.
    assert.equal((await byCode(code)).status, 400);
    const late = codeIn((await signIn()).headers['location']);
    clock.advance(5 * 60_000);
    assert.equal((await byCode(late)).status, 400);
  });

  it('shows the page again for a wrong password', async () => {
    const answer = await signIn('wrong');
    assert.equal(answer.status, 401);
    assert.match(answer.text, /role="alert"/);
  });

  it('sends nobody to an address that is not registered', async () => {
    for (const redirect of [
      'https://evil.example/',
      'http://localhost.evil.example:8020',
      'http://localhost:8020#x',
    ]) {
      assert.equal((await authorize({ redirect_uri: redirect })).status, 400);
    }
    assert.equal((await authorize({ client_id: 'unknown' })).status, 400);
  });

  it('wants PKCE with S256, and scopes that there are', async () => {
    for (const changes of [
      { code_challenge_method: 'plain' },
      { code_challenge: '' },
      { scope: 'everything' },
    ]) {
      const answer = await authorize(changes);
      assert.equal(answer.status, 302);
      assert.match(answer.headers['location'] ?? '', /error=invalid_(request|scope)/);
    }
  });

  it('refuses a wrong secret, an unknown grant and a narrowing that it does not do', async () => {
    const { applicationId, secret } = standIn.coreCredentials;
    const asCore = (form: Record<string, string>) =>
      redeem({
        grant_type: 'client_credentials',
        client_id: applicationId,
        client_secret: secret,
        scope: 'all-apis',
        ...form,
      });
    assert.equal((await asCore({})).status, 200);
    assert.equal((await asCore({ client_secret: 'dose00000000000000000000000000000000' })).status, 401);
    assert.match((await asCore({ scope: 'sql' })).text, /invalid_scope/);
    assert.match((await asCore({ assume_group: '9101' })).text, /not allowed to assume/);
    assert.match((await asCore({ authorization_details: '[]' })).text, /not enabled/);
    assert.match((await asCore({ grant_type: 'password' })).text, /unsupported_grant_type/);
  });
});
