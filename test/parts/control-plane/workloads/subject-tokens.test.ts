import assert from 'node:assert/strict';

import { SignJWT, UnsecuredJWT } from 'jose';

import { WORKLOAD_PROFILES } from '../../../../src/control-plane/workloads/profiles.ts';
import { startIssuer, type TestIssuer } from '../../../unit/sandbox/databricks/stand-in.ts';
import { DIRECTORY_TOKEN, refused, startWorld, type World } from '../world.ts';
import { AUDIENCE, exchange, freshly, GITHUB_JOB, issuerOf, signedIn, trustIn } from './pipelines.ts';

/** Tokens of the shapes that the issuers give, and what must be known of them afterwards. */
const SHAPES = {
  'github-actions': [GITHUB_JOB, { repository: 'acme/recsys-models', ref: 'refs/heads/main' }],
  gitlab: [
    {
      sub: 'project_path:acme/recsys:ref_type:branch:ref:main',
      project_path: 'acme/recsys',
      project_id: '20',
      namespace_path: 'acme',
      ref: 'main',
      ref_type: 'branch',
      ref_path: 'refs/heads/main',
      ref_protected: 'true',
      environment: 'production',
      environment_protected: 'true',
      pipeline_id: '574',
      pipeline_source: 'push',
      job_id: '302',
      user_login: 'ana',
      sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    },
    { project_path: 'acme/recsys', ref_protected: 'true' },
  ],
  'azure-devops': [
    {
      sub: 'p://acme/recsys/deploy',
      aud: 'api://AzureADTokenExchange',
      org_id: '5e0bb1c8-8b4a-4e0b-9c1e-2f0a6d9b7c11',
      prj_id: '9a2b6c3d-1111-4a11-9b1e-0a0a0a0a0001',
      def_id: '12',
      rpo_id: '9a2b6c3d-1111-4a11-9b1e-0a0a0a0a0002',
      rpo_uri: 'https://dev.azure.com/acme/recsys/_git/recsys',
      rpo_ver: '714a629c0b401fdce83e847fc9589983fc6f46bc',
      rpo_ref: 'refs/heads/main',
      run_id: '345',
    },
    { def_id: '12', rpo_ref: 'refs/heads/main' },
  ],
  'aws-iam': [
    {
      sub: 'arn:aws:iam::123456789012:role/DataProcessingRole',
      'https://sts.amazonaws.com/': {
        aws_account: '123456789012',
        source_region: 'eu-west-3',
        org_id: 'o-abc1234567',
        principal_tags: { team: 'recsys' },
      },
    },
    { role_arn: 'arn:aws:iam::123456789012:role/DataProcessingRole', aws_account: '123456789012' },
  ],
  kubernetes: [
    {
      sub: 'system:serviceaccount:ml:trainer',
      'kubernetes.io': {
        namespace: 'ml',
        pod: { name: 'trainer-0', uid: '2b7d3c1e-0000-4000-8000-000000000001' },
        serviceaccount: { name: 'trainer', uid: '2b7d3c1e-0000-4000-8000-000000000002' },
      },
    },
    { namespace: 'ml', service_account: 'trainer' },
  ],
  oidc: [{ sub: 'spiffe://acme/trainer' }, {}],
} as const;

const PROFILES = ['github-actions', 'gitlab', 'azure-devops', 'aws-iam', 'kubernetes', 'oidc'] as const;

describe("a workload's own token", function () {
  this.timeout(20_000);
  const issuers = new Map<string, TestIssuer>();
  let world: World;
  before(async () => {
    for (const profile of PROFILES) issuers.set(profile, await startIssuer());
    world = await startWorld({
      directory: true,
      workloads: trustIn(
        ...PROFILES.map((profile) =>
          issuerOf(profile, issuerAt(profile).url, WORKLOAD_PROFILES[profile], {
            only: profile === 'github-actions' ? { repository_owner: ['acme'] } : {},
          }),
        ),
      ),
    });
  });
  after(async () => {
    await world.close();
    for (const issuer of issuers.values()) await issuer.close();
  });

  const issuerAt = (profile: string): TestIssuer =>
    issuers.get(profile) ?? assert.fail(`There is no such issuer: ${profile}`);
  const github = async (claims: Record<string, unknown> = {}): Promise<string> =>
    issuerAt('github-actions').sign(await freshly(world, { ...GITHUB_JOB, ...claims }));

  for (const profile of PROFILES) {
    it(`of the shape of ${profile} opens the control plane, and is known by its claims`, async () => {
      const [claims, known] = SHAPES[profile];
      const token = await issuerAt(profile).sign(await freshly(world, { aud: AUDIENCE, ...claims }));
      const client = await signedIn(world, token);
      const me = await client.call('getMe', {});
      assert.equal(me.iss, `urn:oam:workload:${profile}`);
      assert.equal(me.userName, claims.sub);
      assert.deepEqual(me.groups, []);
      const row = await world.store.db
        .selectFrom('principal')
        .select('workload')
        .where('iss', '=', me.iss)
        .executeTakeFirstOrThrow();
      for (const [name, value] of Object.entries(known)) {
        assert.match(JSON.stringify(row.workload), new RegExp(`"${name}":"${value}"`));
      }
    });
  }

  const refusals: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    [
      'is forged',
      async () => issuerAt('gitlab').forge(await freshly(world, { sub: 'x', aud: AUDIENCE })),
      /not signed/,
    ],
    ['has expired', () => github({ exp: 1 }), /expired/],
    [
      'is from the future',
      async () => github({ nbf: Math.floor((await world.store.nowMs()) / 1_000) + 600 }),
      /'nbf'/,
    ],
    ['was issued for another service', () => github({ aud: 'https://github.com/acme' }), /another service/],
    ['is for several services', () => github({ aud: [AUDIENCE, 'sts.amazonaws.com'] }), /several services/],
    [
      'comes from a repository of somebody else',
      () => github({ repository_owner: 'mallory' }),
      /one of its own/,
    ],
    ['does not say which run it is for', () => github({ run_id: undefined }), /which run/],
    ['has no subject', () => github({ sub: undefined }), /'sub'/],
    ['has a subject that is no text', () => github({ sub: { repo: 'acme' } }), /subject cannot be used/],
    ['has half a character in its subject', () => github({ sub: 'repo:\ud83d' }), /subject cannot be used/],
    ['has the character NUL in a claim', () => github({ ref: 'refs/heads/a\0' }), /'ref' holds a character/],
    ['names an endless run', () => github({ run_id: 'x'.repeat(1_000) }), /too long/],
    ['is older than a day', () => github({ iat: 1 }), /expired|'iat'/],
    [
      'is signed by nobody',
      async () =>
        new UnsecuredJWT(
          await freshly(world, { ...GITHUB_JOB, iss: issuerAt('github-actions').url }),
        ).encode(),
      /not signed|cannot be used/,
    ],
    [
      'is signed with a shared secret',
      async () =>
        new SignJWT(await freshly(world, { ...GITHUB_JOB, iss: issuerAt('github-actions').url }))
          .setProtectedHeader({ alg: 'HS256', kid: 'one' })
          .sign(new TextEncoder().encode('x'.repeat(40))),
      /not signed/,
    ],
    [
      'names another issuer than the one that signed it',
      async () =>
        issuerAt('gitlab').sign({
          ...(await freshly(world, GITHUB_JOB)),
          iss: issuerAt('github-actions').url,
        }),
      /not signed/,
    ],
    ['is an access token of a person', () => world.token('ana'), /issuer is none/],
    ['is no token', () => Promise.resolve('rubbish'), /not a signed/],
    ['is cut off', async () => (await github()).slice(0, -20), /not signed|not a signed/],
  ];
  for (const [what, make, words] of refusals) {
    it(`that ${what} opens nothing`, async () => {
      const answer = await exchange(world, await make());
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.error, 'invalid_grant');
      assert.match(answer.error_description ?? '', words);
      assert.equal(answer.access_token, undefined);
    });
  }

  it('is exchanged by the standard, or not at all', async () => {
    const token = await github();
    for (const wrong of [
      { grant_type: 'client_credentials' },
      { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      { subject_token: '' },
    ]) {
      const answer = await exchange(world, token, wrong);
      assert.equal(answer.status, 400);
      assert.equal(answer.error, 'invalid_request');
    }
    const json = await world.http({
      method: 'POST',
      path: '/api/v1/token',
      headers: { 'content-type': 'application/json' },
      body: '{"subject_token": 1',
    });
    assert.equal(json.status, 400);
  });

  it('whose issuer is away is neither good nor bad', async () => {
    const issuer = await startIssuer();
    const other = await startWorld({ workloads: trustIn(issuerOf('away', issuer.url)) });
    try {
      const token = await issuer.sign(await freshly(other, { sub: 'x', aud: AUDIENCE }));
      await issuer.close();
      const answer = await exchange(other, token);
      assert.equal(answer.status, 503);
      assert.equal(answer.error, 'temporarily_unavailable');
    } finally {
      await other.close();
    }
  });

  it('is of another workload where it says something else: programs of one role are kept apart', async () => {
    const program = async (lambda_source_function_arn: string) => {
      const token = await issuerAt('aws-iam').sign(
        await freshly(world, {
          ...{ sub: 'arn:aws:iam::1:role/shared', aud: AUDIENCE },
          'https://sts.amazonaws.com/': { aws_account: '1', lambda_source_function_arn },
        }),
      );
      return signedIn(world, token);
    };
    const first = await program('arn:of-a');
    const before = await first.call('getMe', {});
    await world.store.advance(1_000);
    const other = await (await program('arn:of-b')).call('getMe', {});
    assert.notEqual(other.sub, before.sub);
    assert.equal(other.userName, before.userName);
    assert.equal((await (await program('arn:of-a')).call('getMe', {})).sub, before.sub);
    const { workload } = await world.store.db
      .selectFrom('principal')
      .select('workload')
      .where('sub', '=', before.sub)
      .executeTakeFirstOrThrow();
    assert.match(JSON.stringify(workload), /arn:of-a/);
  });

  it('is exchanged so often and no more often, and nobody else waits for that', async () => {
    const issuer = await startIssuer();
    const other = await startWorld({
      limits: { requestsPerMinute: 5, streams: 1 },
      workloads: trustIn(issuerOf('any', issuer.url)),
    });
    try {
      const sign = async (sub: string) => issuer.sign(await freshly(other, { sub, aud: AUDIENCE }));
      const token = await sign('busy');
      for (let asked = 0; asked < 5; asked += 1) assert.equal((await exchange(other, token)).status, 200);
      const answer = await exchange(other, token);
      assert.equal(answer.status, 429);
      assert.equal(answer.error, 'temporarily_unavailable');
      assert.equal((await exchange(other, await sign('quiet'))).status, 200);
    } finally {
      await other.close();
      await issuer.close();
    }
  });

  it('gives a token that opens no other door, ends by itself, and stands nowhere in clear', async () => {
    const answer = await exchange(world, await github());
    const token = answer.access_token ?? '';
    assert.equal(answer.expires_in, 15 * 60);
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await world.http({ method: 'GET', path: '/api/v1/me', headers })).status, 200);
    assert.equal((await world.http({ method: 'GET', path: '/api/v1/scim/v2/Users', headers })).status, 401);
    assert.notEqual(token, DIRECTORY_TOKEN);
    const rows = await world.store.db.selectFrom('workload_token').selectAll().execute();
    assert.doesNotMatch(JSON.stringify(rows), new RegExp(token.slice(5)));
    await world.store.advance(16 * 60_000);
    const late = await world.http({ method: 'GET', path: '/api/v1/me', headers });
    assert.equal(late.status, 401);
    assert.match(late.text, /session_expired/);
    const unknown = { authorization: `Bearer ${token.slice(0, -1)}_` };
    assert.equal((await world.http({ method: 'GET', path: '/api/v1/me', headers: unknown })).status, 401);
  });

  it('makes no person of a workload: what people do is not for it', async () => {
    const client = await signedIn(world, await github());
    await refused(client.call('listAudit', { query: {} }), 'not_allowed');
    const request = await world.ask('ana', 'recsys-deployer', 30);
    await refused(
      client.call('approveRequest', { params: { id: request.id }, body: {}, version: request.version }),
      'not_found',
    );
  });
});
