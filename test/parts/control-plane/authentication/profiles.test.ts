import assert from 'node:assert/strict';
import { createServer } from 'node:http';

import type { IdentitySettings } from '../../../../src/control-plane/authentication/settings.ts';
import { Me } from '../../../../src/protocol/person.ts';
import { Problem } from '../../../../src/protocol/problem.ts';
import { startIssuer, type TestIssuer } from '../../../unit/sandbox/databricks/stand-in.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { pushPerson, pushTeam } from '../directory/pushes.ts';
import { GRAPH_SECRET, startWorld, type World } from '../world.ts';

const CLIENT = '0oaoameditor';
const OID = '9c4f8d7e-2a41-4c1e-8f53-0d6a2c1b7e90';

/** Access tokens as the providers issue them, without times and issuer. */
const SHAPES = {
  keycloak: {
    aud: 'oam',
    sub: 'f:2d1c:ana',
    typ: 'Bearer',
    azp: CLIENT,
    sid: '0f6f9f1c-5d0b-4d0b-8a4f-1e6c0a9f2b11',
    acr: '1',
    jti: 'onrtac:4c3a9e36',
    'allowed-origins': ['/*'],
    realm_access: { roles: ['offline_access', 'data-scientist'] },
    resource_access: { account: { roles: ['view-profile'] } },
    scope: 'openid email profile offline_access',
    email_verified: true,
    preferred_username: 'ana.silva',
    name: 'Ana Silva',
    email: 'ana.silva@example.com',
    groups: ['ml-recsys'],
    duty: 'data-scientist',
  },
  okta: {
    ver: 1,
    jti: 'AT.x2fK',
    aud: 'oam',
    cid: CLIENT,
    uid: '00u1ana',
    scp: ['openid', 'offline_access', 'profile', 'groups'],
    auth_time: 1_700_000_000,
    sub: 'ana.silva@example.com',
    groups: ['ml-recsys'],
    duty: 'data-scientist',
  },
  entra: {
    aud: 'oam',
    aio: 'AVQAq/8X',
    azp: CLIENT,
    azpacr: '0',
    name: 'Ana Silva',
    oid: OID,
    preferred_username: 'ana.silva@example.com',
    rh: '0.AXkA',
    roles: ['data-scientist'],
    groups: ['ml-recsys'],
    scp: 'access',
    sub: 'pairwise-of-this-application',
    tid: '1b6e2c9a-7b1f-4d0e-9a5d-3f2c1e0d9b8a',
    uti: 'q1Tn',
    ver: '2.0',
  },
  databricks: {
    client_id: CLIENT,
    scope: 'openid profile email offline_access',
    aud: SEED.accountId,
    sub: 'ana.silva@example.com',
    jti: '1a4f',
  },
} as const;

type Profile = keyof typeof SHAPES;

const SUBJECTS: Record<Profile, string> = {
  keycloak: 'f:2d1c:ana',
  okta: '00u1ana',
  entra: OID,
  databricks: 'ana.silva@example.com',
};

describe('access tokens of known identity providers', function () {
  this.timeout(20_000);
  let stack: AsyncDisposableStack;
  let issuer: TestIssuer;
  let world: World;
  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    issuer = await startIssuer();
    stack.defer(() => issuer.close());
  });
  afterEach(() => stack.disposeAsync());

  const open = async (profile: Profile, more: Partial<IdentitySettings> = {}): Promise<void> => {
    world = await startWorld({
      directory: true,
      identity: {
        issuer: issuer.url,
        profile,
        clientId: CLIENT,
        audience: profile === 'databricks' ? SEED.accountId : 'oam',
        ...more,
      },
    });
    stack.defer(() => world.close());
  };
  const signed = async (profile: Profile, claims: Record<string, unknown> = {}): Promise<string> => {
    const now = Math.floor((await world.store.nowMs()) / 1_000);
    return issuer.sign({ ...SHAPES[profile], iat: now, nbf: now, exp: now + 3_600, ...claims });
  };
  const knock = async (token: string): Promise<{ status: number; text: string }> =>
    world.http({ method: 'GET', path: '/api/v1/me', headers: { authorization: `Bearer ${token}` } });
  const me = async (token: string): Promise<Me> => {
    const { status, text } = await knock(token);
    assert.equal(status, 200, text);
    return Me.parse(JSON.parse(text));
  };
  const codeOf = async (token: string): Promise<string> => {
    const { text } = await knock(token);
    return Problem.parse(JSON.parse(text)).code;
  };
  /** The directory says who is in the team of the demo. */
  const push = async (externalId: string): Promise<void> => {
    await pushTeam(world, 'ml-recsys', await pushPerson(world, 'ana', { externalId }));
  };

  for (const profile of ['keycloak', 'okta', 'entra'] as const) {
    it(`of ${profile} name the person for good, with groups and duty`, async () => {
      await open(profile);
      const person = await me(await signed(profile));
      assert.equal(person.iss, issuer.url);
      assert.equal(person.sub, SUBJECTS[profile]);
      assert.deepEqual(person.groups, ['ml-recsys']);
      assert.equal(person.duty, 'data-scientist');
      const { text } = await world.http({ method: 'GET', path: '/api/v1/configuration', headers: {} });
      assert.match(
        text,
        new RegExp(`"subjectClaim":"${{ keycloak: 'sub', okta: 'uid', entra: 'oid' }[profile]}"`),
      );
    });

    it(`of ${profile} open nothing where another application got them, or where they do not say which`, async () => {
      await open(profile);
      const claim = { keycloak: 'azp', okta: 'cid', entra: 'azp' }[profile];
      assert.equal(await codeOf(await signed(profile, { [claim]: 'another-app' })), 'wrong_client');
      assert.equal(await codeOf(await signed(profile, { [claim]: undefined })), 'wrong_client');
      assert.equal(
        await codeOf(
          await signed(profile, {
            [SUBJECTS[profile] === OID ? 'oid' : profile === 'okta' ? 'uid' : 'sub']: '',
          }),
        ),
        'wrong_token_kind',
      );
    });
  }

  it('of another client open the door where it is listed, and its ID tokens do not', async () => {
    await open('keycloak', { otherClientIds: ['notebooks'] });
    assert.equal((await me(await signed('keycloak', { azp: 'notebooks' }))).userName, 'ana.silva');
    assert.equal(await codeOf(await signed('keycloak', { aud: ['oam', 'notebooks'] })), 'wrong_audience');
  });

  it('of Okta with a hundred groups may have been cut, so the directory is asked, and nothing is guessed', async () => {
    await open('okta');
    const hundred = Array.from({ length: 100 }, (_, index) => (index === 0 ? 'ml-recsys' : `g${index}`));
    assert.equal(await codeOf(await signed('okta', { groups: hundred })), 'groups_overflowed');
    assert.equal((await me(await signed('okta', { groups: hundred.slice(0, 99) }))).groups.length, 99);
    await push('00u1ana');
    // A token's time is in whole seconds: this one is to be newer than what the directory said.
    await world.advance(2_000);
    assert.deepEqual((await me(await signed('okta', { groups: hundred }))).groups, ['ml-recsys']);
  });

  it('of Entra ID whose groups overflow are completed from Microsoft Graph, or close every door', async () => {
    let answering = true;
    const asked: string[] = [];
    const graph = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
        response.setHeader('content-type', 'application/json');
        if (request.url === '/token') {
          const form = new URLSearchParams(body);
          const good =
            form.get('client_secret') === GRAPH_SECRET && form.get('grant_type') === 'client_credentials';
          response.statusCode = good ? 200 : 401;
          response.end(
            JSON.stringify({ token_type: 'Bearer', expires_in: 3_599, access_token: 'graph-token' }),
          );
          return;
        }
        const allowed = answering && request.headers.authorization === 'Bearer graph-token';
        response.statusCode = allowed ? 200 : 503;
        response.end(
          JSON.stringify(allowed ? { value: ['ml-recsys', 'other'] } : { error: { code: 'busy' } }),
        );
      });
    });
    await new Promise<void>((resolve) => graph.listen(0, '127.0.0.1', resolve));
    stack.defer(() => {
      graph.closeAllConnections();
      graph.close();
    });
    const address = graph.address();
    assert.ok(address !== null && typeof address === 'object');
    const url = `http://127.0.0.1:${address.port}`;
    await open('entra', {
      graph: { tokenUrl: `${url}/token`, url, clientId: 'oam-directory', clientSecretEnv: 'UNUSED' },
    });
    const overflowed = {
      groups: undefined,
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: 'https://graph.windows.net/evil' } },
    };
    answering = false;
    assert.equal(await codeOf(await signed('entra', overflowed)), 'groups_overflowed');
    answering = true;
    assert.deepEqual((await me(await signed('entra', overflowed))).groups, ['ml-recsys', 'other']);
    assert.deepEqual((await me(await signed('entra', overflowed))).groups, ['ml-recsys', 'other']);
    // Kept for a while, and the token once for all.
    assert.deepEqual(asked, [
      'POST /token',
      ...Array<string>(2).fill(`POST /v1.0/users/${OID}/getMemberObjects`),
    ]);
    assert.equal(
      await codeOf(await signed('entra', { ...overflowed, oid: '../../me' })),
      'groups_overflowed',
    );
    assert.equal(
      await codeOf(await signed('entra', { groups: undefined, hasgroups: 'true', oid: 'x' })),
      'groups_overflowed',
    );
    assert.equal(await codeOf(await signed('entra', { idtyp: 'app' })), 'wrong_token_kind');
  });

  it('of Databricks open OAM where they open nothing of Databricks, with the groups of the directory', async () => {
    await open('databricks');
    const scopes = { scope: 'openid all-apis' };
    assert.equal(await codeOf(await signed('databricks', scopes)), 'wrong_audience');
    assert.equal(await codeOf(await signed('databricks')), 'groups_overflowed');
    await push('ana.silva@example.com');
    const person = await me(await signed('databricks'));
    assert.equal(person.sub, 'ana.silva@example.com');
    assert.deepEqual(person.groups, ['ml-recsys']);
  });

  it('say a duty in the words of the company, and two duties are none', async () => {
    await open('entra', { duties: { 'data-scientist': ['ML Engineer', 'DS'], auditor: ['Internal Audit'] } });
    assert.equal(
      (await me(await signed('entra', { roles: ['ML Engineer', 'DS', 'other'] }))).duty,
      'data-scientist',
    );
    assert.equal((await me(await signed('entra', { roles: ['DS', 'Internal Audit'] }))).duty, null);
    assert.equal((await me(await signed('entra', { roles: ['data-scientist'] }))).duty, null);
  });

  it('are read where the configuration says, also further in', async () => {
    await open('keycloak', {
      claims: { duty: ['realm_access', 'roles'], groups: ['resource_access', 'account', 'roles'] },
    });
    const person = await me(await signed('keycloak', { duty: undefined }));
    assert.equal(person.duty, 'data-scientist');
    assert.deepEqual(person.groups, ['view-profile']);
  });

  it('of other kinds, or with a life of days, open nothing', async () => {
    await open('keycloak');
    const now = Math.floor((await world.store.nowMs()) / 1_000);
    for (const claims of [{ typ: 'ID' }, { typ: 'Refresh' }, { events: { logout: {} } }, { at_hash: 'x' }]) {
      assert.equal(
        await codeOf(await signed('keycloak', claims)),
        'wrong_token_kind',
        JSON.stringify(claims),
      );
    }
    assert.equal(await codeOf(await signed('keycloak', { exp: now + 2 * 86_400 })), 'token_lives_too_long');
    assert.equal(await codeOf(await signed('keycloak', { nbf: now + 600 })), 'not_signed_in');
    assert.equal(await codeOf(await signed('keycloak', { exp: now - 60 })), 'session_expired');
    assert.equal(await codeOf((await signed('keycloak')).slice(0, -20)), 'not_signed_in');
  });
});
