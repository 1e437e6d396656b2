import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { ROOT } from '../../demo/stage/folders.ts';
import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { SEED, startSandboxDatabricks } from '../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  PEOPLE,
  startIdentityProvider,
} from '../../src/sandbox/identity-provider/index.ts';
import { orSkip } from '../reporting/skip.ts';
import { startIssuer } from '../unit/sandbox/databricks/stand-in.ts';

const Said = z.object({
  name: z.string(),
  value: z.optional(z.unknown()),
  error: z.optional(
    z.object({
      type: z.string(),
      code: z.optional(z.nullable(z.union([z.string(), z.number()]))),
      message: z.string(),
    }),
  ),
});
type Said = z.infer<typeof Said>;

/** What the SDK must make of each call; a number is the least that a count must be. */
const VALUES: Readonly<Record<string, unknown>> = {
  me: PEOPLE.ana.userName,
  model: 'champion',
  endpoint: 'CAN_VIEW',
  'effective privileges': ['CREATE_MODEL', 'EXECUTE', 'MODIFY', 'SELECT', 'USE_SCHEMA'],
  token: 'x',
  core: SEED.servicePrincipals.core.applicationId,
  resolved: SEED.users.ana.id,
  'account policies': ['email'],
  'person by ID token': PEOPLE.ana.userName,
  "role by OAM's token": SEED.servicePrincipals.recsysDeployer.applicationId,
  'token on behalf of a role': [SEED.servicePrincipals.recsysDeployer.applicationId, ['made on behalf'], 0],
  'sign-in by browser': PEOPLE.ana.userName,
};

const COUNTS: Readonly<Record<string, number>> = {
  models: 90,
  experiments: 9,
  jobs: 7,
  permissions: 4,
  tokens: 2,
  'account groups': 12,
};

/** The class of the SDK's error, and what its words must hold. */
const ERRORS: Readonly<Record<string, readonly [string, RegExp]>> = {
  versions: ['PermissionDenied', /EXECUTE/],
  'endpoint that is missing': ['ResourceDoesNotExist', /does not exist/],
  'permissions by name': ['BadRequest', /not a valid Inference Endpoint ID/],
  'cluster that is missing': ['ResourceDoesNotExist', /Cluster none does not exist/],
  'job that is missing': ['ResourceDoesNotExist', /Job 1 does not exist/],
  'effective privileges, small page': ['InvalidParameterValue', /max_results/],
  'token on behalf of a role, by no admin': ['PermissionDenied', /not a workspace admin/],
  'token that is gone': ['ResourceDoesNotExist', /does not exist/],
  'wrong token': ['PermissionDenied', /Invalid access token/],
  "core through the workspace's groups": ['NotFound', /not found/],
  'query without the right': ['PermissionDenied', /'Query'/],
  'scalar value': ['BadRequest', /invalidSyntax/],
  'query after the right': ['PermissionDenied', /'Query'/],
  'access token at the wrong door': ['ValueError', /invalid_grant: .*'aud'/],
  'role token without a client id': ['ValueError', /no federation policy/],
};

describe("the stand-in, by Databricks' own Python SDK", () => {
  const said = new Map<string, Said>();

  before(async function () {
    this.timeout(600_000);
    const python = await orSkip(this, () => installPython(console.log));
    for (const line of await everythingSaid(python)) said.set(line.name, line);
  });

  const heard = (name: string): Said => said.get(name) ?? assert.fail(`The SDK said nothing about: ${name}`);
  const valueOf = (name: string): unknown => {
    const { value, error } = heard(name);
    assert.equal(error, undefined);
    return value;
  };

  for (const [name, value] of Object.entries(VALUES)) {
    it(`reads ${name}`, () => {
      assert.deepEqual(valueOf(name), value);
    });
  }

  for (const [name, least] of Object.entries(COUNTS)) {
    it(`reads ${name} to the end of the list`, () => {
      assert.ok(Number(valueOf(name)) >= least, String(valueOf(name)));
    });
  }

  for (const [name, [type, words]] of Object.entries(ERRORS)) {
    it(`raises ${type}: ${name}`, () => {
      const { error } = heard(name);
      assert.equal(error?.type, type);
      assert.match(error.message, words);
    });
  }

  it('lists endpoints with and without an id, clusters and groups', () => {
    for (const [name, member] of [
      ['endpoints', SEED.assets.endpoint.name],
      ['endpoints', 'databricks-gpt-oss-120b'],
      ['clusters', SEED.assets.cluster.name],
      ['groups', SEED.jitGroups.endpointQuery.name],
    ] as const) {
      assert.ok(z.array(z.string()).parse(valueOf(name)).includes(member), `${name}: ${member}`);
    }
  });

  it('gets an answer from the endpoint exactly while the membership lasts', () => {
    assert.equal(z.array(z.number()).parse(valueOf('query with the right')).length, 1);
    assert.equal(valueOf('add by the proxy'), null);
    assert.equal(valueOf('remove by the proxy'), null);
  });
});

async function everythingSaid(python: PythonEnvironment): Promise<Said[]> {
  await using running = new AsyncDisposableStack();
  const idp = await startIdentityProvider();
  running.defer(() => idp.close());
  const oam = await startIssuer();
  running.defer(() => oam.close());
  const databricks = await startSandboxDatabricks({
    identityProvider: { issuer: idp.issuer, audience: EDITOR_CLIENT_ID },
    controlPlaneIssuer: oam.url,
    people: Object.values(PEOPLE),
  });
  running.defer(() => databricks.close());
  const { ana } = PEOPLE;
  const exp = Math.floor(Date.now() / 1_000) + 300;
  const claims = { sub: ana.sub, email: ana.userName, exp };
  const output = await runPython(python.python, {
    host: databricks.workspaces.prod.host,
    account: databricks.account,
    core: databricks.coreCredentials,
    admin: databricks.adminCredentials,
    tokens: databricks.tokenCredentials,
    token: databricks.personalAccessToken('prod', ana.userName),
    person: { user_name: ana.userName, password: ana.password },
    id: SEED.users.ana.id,
    externalId: ana.sub,
    group: SEED.jitGroups.endpointQuery.id,
    endpoint: SEED.assets.endpoint.name,
    model: SEED.assets.model.fullName,
    idToken: await idp.mint({ ...claims, aud: EDITOR_CLIENT_ID }),
    accessToken: await idp.mint(claims),
    roleToken: await oam.sign({ sub: 'grant:1', oam_role: SEED.deployerRole, aud: SEED.accountId, exp }),
    roleApplicationId: SEED.servicePrincipals.recsysDeployer.applicationId,
  });
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => Said.parse(JSON.parse(line)));
}

/** Runs the script; its input goes in by standard input, so that no secret is on a command line. */
async function runPython(python: string, input: unknown): Promise<string> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('DATABRICKS_'));
  const child = spawn(python, [join(ROOT, 'test/clients/databricks_sdk.py')], {
    env: { ...Object.fromEntries(inherited), HOME: '/nonexistent' },
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.end(JSON.stringify(input));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  assert.equal(code, 0, errors);
  return output;
}
