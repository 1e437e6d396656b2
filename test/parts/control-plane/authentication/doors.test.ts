import assert from 'node:assert/strict';

import { generateKeyPair, SignJWT } from 'jose';

import { exchangeSubjectToken, hostTrust } from '../../../../src/databricks/index.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { MINUTE_MS } from '../../../../src/domain/time.ts';
import {
  databricksCallbackPlace,
  signInToDatabricks,
  startCallbackServer,
} from '../../../../src/identity/index.ts';
import { Problem } from '../../../../src/protocol/problem.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import { signInAtDatabricks } from '../../../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  OAM_AUDIENCE,
  PEOPLE,
  signInHeadless,
} from '../../../../src/sandbox/identity-provider/index.ts';
import { refused, startWorld, type World } from '../world.ts';

describe('the doors of the control plane', function () {
  this.timeout(30_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const knock = async (headers: Record<string, string>): Promise<Problem | number> => {
    const answer = await world.http({ method: 'GET', path: '/api/v1/me', headers });
    if (answer.status === 200) return 200;
    assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/);
    return Problem.parse(JSON.parse(answer.text));
  };
  const codeOf = async (token: string): Promise<string> => {
    const answer = await knock({ authorization: `Bearer ${token}` });
    assert.notEqual(typeof answer, 'number', 'the door opened');
    const problem = Problem.parse(answer);
    assert.equal(problem.status, problem.code === 'identity_provider_unavailable' ? 503 : 401);
    assert.ok(!JSON.stringify(problem).includes(token), 'the problem quotes the token');
    return problem.code;
  };
  const refusalsOf = async (sub: string): Promise<unknown[]> => {
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    return items
      .filter((row) => row.event === 'authentication.refused' && row.actor?.sub === sub)
      .map((row) => row.detail['code']);
  };

  it('opens to the access token of a real sign-in, and to neither ID token nor a Databricks token', async () => {
    const session = await signInHeadless(PEOPLE.ana, world.identityProvider);
    assert.equal(await knock({ authorization: `Bearer ${session.accessToken}` }), 200);
    assert.equal(await knock({ 'x-oam-authorization': `Bearer ${session.accessToken}` }), 200);
    // Where an Apps proxy stands in front, Authorization is not ours.
    assert.equal(
      await knock({ authorization: 'Bearer other', 'x-oam-authorization': `Bearer ${session.accessToken}` }),
      200,
    );

    assert.equal(await codeOf(session.idToken), 'wrong_audience');
    assert.deepEqual(await refusalsOf(PEOPLE.ana.sub), ['wrong_audience']);

    const { host } = world.databricks.workspaces.prod;
    const reach = {
      host,
      trust: hostTrust([host]),
      transport: axiosTransport(),
      clock: { nowMs: () => Date.now() },
    };
    const personal = await exchangeSubjectToken({ ...reach, subjectToken: session.idToken });
    assert.match(await codeOf(personal.accessToken), /^(?:wrong_issuer|not_signed_in)$/);
    // And the access token at Databricks' door.
    await assert.rejects(exchangeSubjectToken({ ...reach, subjectToken: session.accessToken }), (error) =>
      hasCode(error, 'databricks_token_refused'),
    );
  });

  it('stays shut to a token that would open both doors, and to an ID token with our audience', async () => {
    assert.equal(
      await codeOf(await world.token('omar', { aud: [OAM_AUDIENCE, EDITOR_CLIENT_ID] })),
      'wrong_audience',
    );
    assert.equal(await codeOf(await world.token('omar', { nonce: 'n' })), 'wrong_token_kind');
    assert.deepEqual((await refusalsOf(PEOPLE.omar.sub)).sort(), ['wrong_audience', 'wrong_token_kind']);
  });

  it("stays shut to the token of a person's own sign-in at Databricks (U2M)", async () => {
    const { host } = world.databricks.workspaces.prod;
    const place = {
      ...{ host, clientId: 'databricks-cli', trust: hostTrust([host]), transport: axiosTransport() },
      clock: { nowMs: () => Date.now() },
    };
    const own = await signInToDatabricks(
      place,
      { subject: PEOPLE.ana.sub, databricksAttribute: 'externalId' },
      {
        listen: (state) => startCallbackServer(state, databricksCallbackPlace('databricks-cli')),
        openBrowser: (url) => void signInAtDatabricks(url, PEOPLE.ana),
      },
    );
    for (const token of [own.accessToken, own.refreshToken ?? '']) {
      assert.match(await codeOf(token), /^(?:wrong_issuer|not_signed_in)$/);
    }
    // Nor does it open the workspace's token endpoint, where identity tokens are exchanged.
    await assert.rejects(exchangeSubjectToken({ ...place, subjectToken: own.accessToken }), (error) =>
      hasCode(error, 'databricks_token_refused'),
    );
  });

  it('stays shut to tokens that are cut, changed or of the future', async () => {
    const good = await world.token('ana');
    const [header = '', claims = '', signature = ''] = good.split('.');
    const seconds = Math.floor(Date.now() / 1_000);
    const bad: Readonly<Record<string, string>> = {
      truncated: good.slice(0, -20),
      'truncated in its claims': `${header}.${claims.slice(0, -10)}.${signature}`,
      'without its signature': `${header}.${claims}.`,
      'with the signature of another token': `${header}.${claims}.${(await world.token('lena')).split('.')[2] ?? ''}`,
      'of the future': await world.token('ana', { nbf: seconds + 600, exp: seconds + 900 }),
      'said to be issued an hour from now': await world.token('ana', {
        iat: seconds + 3_600,
        exp: seconds + 3_900,
      }),
    };
    for (const [what, token] of Object.entries(bad)) {
      assert.match(await codeOf(token), /^(?:not_signed_in|session_expired|wrong_token_kind)$/, what);
    }
  });

  it('says that a session has expired, by the time of the store', async () => {
    const token = await world.token('ana');
    await world.store.advance(11 * MINUTE_MS);
    assert.equal(await codeOf(token), 'session_expired');
    const answer = await world.http({
      method: 'POST',
      path: '/api/v1/requests',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': 'expired',
      },
      body: JSON.stringify({ roleId: 'recsys-endpoint-query', purpose: 'x', minutes: 5 }),
    });
    assert.equal(Problem.parse(JSON.parse(answer.text)).code, 'session_expired');
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    assert.ok(
      items.some((row) => row.event === 'authentication.refused' && row.detail['code'] === 'session_expired'),
    );
    assert.deepEqual((await world.client('ana').call('listGrants')).items, []);
  });

  it('tells another issuer from a forgery, lets neither in, and believes neither about whom it names', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const forge = (iss: string) =>
      new SignJWT({ groups: ['ml-recsys-leads'] })
        .setProtectedHeader({ alg: 'RS256', kid: 'sandbox-1' })
        .setIssuer(iss)
        .setSubject('forged')
        .setAudience(OAM_AUDIENCE)
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey);
    assert.equal(await codeOf(await forge('https://elsewhere.example')), 'wrong_issuer');
    assert.equal(await codeOf(await forge(world.identityProvider.issuer)), 'not_signed_in');
    assert.equal(await codeOf('not.a.token'), 'not_signed_in');
    const unsigned = [{ alg: 'none' }, { iss: world.identityProvider.issuer, sub: 'x', aud: OAM_AUDIENCE }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    assert.equal(await codeOf(`${unsigned}.`), 'not_signed_in');
    // The provider's public key, which everybody has, as the secret of a signature by secret.
    const { text: jwks } = await axiosTransport()({
      method: 'GET',
      url: `${world.identityProvider.issuer}/jwks`,
    });
    const confused = await new SignJWT({ groups: ['ml-recsys-leads'] })
      .setProtectedHeader({ alg: 'HS256', kid: 'sandbox-1' })
      .setIssuer(world.identityProvider.issuer)
      .setSubject('forged')
      .setAudience(OAM_AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(Buffer.from(jwks));
    assert.equal(await codeOf(confused), 'not_signed_in');
    const bare = await knock({});
    assert.equal(Problem.parse(bare).code, 'not_signed_in');
    assert.deepEqual(await refusalsOf('forged'), []);
  });

  it('opens to a name that was cut in the middle of a character, and to no subject that cannot be told from others', async () => {
    const half = '\ud83d';
    const told = { name: `Ana ${half}`, preferred_username: `ana${half}`, groups: ['recsys', half, 'a\0'] };
    const me = await world.client('ana', told).call('getMe');
    assert.deepEqual([me.displayName, me.userName, me.groups], ['Ana \ufffd', 'ana\ufffd', ['recsys']]);
    for (const sub of [half, '\0', `${PEOPLE.ana.sub}\0`]) {
      assert.equal(await codeOf(await world.token('ana', { sub })), 'wrong_token_kind');
    }
  });

  it('never reads a group list that overflowed as an empty one', async () => {
    const overflowed = world.client('ana', { groups: undefined, _claim_names: { groups: 'src1' } });
    await refused(overflowed.call('getMe'), 'groups_overflowed');
    await refused(overflowed.call('listRoles'), 'groups_overflowed');
    await refused(
      overflowed.call('createRequest', {
        body: { roleId: 'recsys-endpoint-query', purpose: 'why', minutes: 5 },
      }),
      'groups_overflowed',
    );
    assert.deepEqual((await overflowed.call('listRequests')).items, []);
  });
});

describe('the control plane while the identity provider is down', function () {
  this.timeout(20_000);

  it('says so, and opens again by itself', async () => {
    const world = await startWorld();
    try {
      world.identityProvider.pause();
      const problem = await refused(world.client('ana').call('getMe'), 'identity_provider_unavailable');
      assert.equal(problem.status, 503);
      world.identityProvider.resume();
      assert.equal((await world.client('ana').call('getMe')).userName, PEOPLE.ana.userName);
      // Its keys are known now: it can be away without anybody being locked out.
      world.identityProvider.pause();
      assert.equal((await world.client('ana').call('getMe')).userName, PEOPLE.ana.userName);
    } finally {
      await world.close();
    }
  });
});
