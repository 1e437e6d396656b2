import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import * as z from 'zod/mini';

import { GrantView, RequestView } from '../../../src/protocol/schemas.ts';
import {
  type RunningSandboxDatabricks,
  startSandboxDatabricks,
} from '../../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  type Person,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { ASKING, endPrograms, oam, type Run, type RunOptions } from './oam-process.ts';

const Listening = z.object({ event: z.literal('listening'), url: z.string() });

/** A program that calls the endpoint as whoever the pointer answers for. */
const QUERY = `
  const { DATABRICKS_HOST: host, DATABRICKS_METADATA_SERVICE_URL: url } = process.env;
  const { access_token } = await (await fetch(url, { headers: {
    'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': host } })).json();
  const answer = await fetch(host + '/serving-endpoints/recsys-ranker-prod/invocations', { method: 'POST',
    headers: { authorization: 'Bearer ' + access_token, 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: [1] }) });
  console.log(answer.status);
`;

describe('oam, with a real control plane', function () {
  this.timeout(90_000);

  let idp: RunningIdentityProvider;
  let databricks: RunningSandboxDatabricks;
  let server: ChildProcess;
  let folder: string;
  let env: Record<string, string>;
  let log = '';
  const secrets = { key: randomBytes(32).toString('base64') };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oam-cli-'));
    idp = await startIdentityProvider({ devicePollSeconds: 0.05 });
    databricks = await startSandboxDatabricks({
      identityProvider: { issuer: idp.issuer, audience: EDITOR_CLIENT_ID },
      people: Object.values(PEOPLE),
    });
    const { prod, dev } = databricks.workspaces;
    const file = join(folder, 'oam.yaml');
    await writeFile(
      file,
      JSON.stringify({
        listen: { host: '127.0.0.1', port: 0 },
        dataFolder: join(folder, 'data'),
        policyFolder: join(process.cwd(), 'demo/policy'),
        identity: {
          ...{ issuer: idp.issuer, clientId: EDITOR_CLIENT_ID, audience: OAM_AUDIENCE },
          scopes: EDITOR_SCOPES,
          claims: { attributes: { on_call: 'on_call' } },
        },
        databricks: {
          clientId: databricks.coreCredentials.applicationId,
          clientSecretEnv: 'OAM_CORE_CLIENT_SECRET',
          accountId: databricks.account.accountId,
        },
        issuer: { keyEnv: 'OAM_KEY' },
        effects: { absenceConfirmMs: 200 },
      }),
    );
    server = spawn(process.execPath, ['src/cli/main.ts', 'serve', '--config', file], {
      env: {
        ...process.env,
        OAM_KEY: secrets.key,
        OAM_CORE_CLIENT_SECRET: databricks.coreCredentials.secret,
        OAM_WORKSPACE_PROD: prod.host,
        OAM_WORKSPACE_DEV: dev.host,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    server.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    assert.ok(server.stdout);
    const first = await Promise.race([
      once(server.stdout, 'data'),
      once(server, 'exit').then(() => undefined),
    ]);
    assert.ok(first, log);
    const { url } = Listening.parse(JSON.parse(String(first[0])));
    databricks.setControlPlaneIssuer(url);
    env = { OAM_URL: url, OAM_TRUSTED_WORKSPACE_HOSTS: `${prod.host},${dev.host}` };
  });

  afterEach(endPrograms);

  after(async () => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
    await databricks.close();
    await idp.close();
    await rm(folder, { recursive: true, force: true });
  });

  const as = (person: Person, args: readonly string[], o: RunOptions = {}) => {
    const [command = '', ...rest] = args;
    return oam([command, '--no-keychain', ...rest], { env, person, ...o });
  };
  const program = (code: string) => ['--', process.execPath, '--input-type=module', '-e', code];
  const member = ['exec', '--role', 'recsys-endpoint-query', '--purpose', 'Check the ranker', '--for', '30m'];
  const grantsOf = async (person: Person) =>
    z.array(GrantView).parse(JSON.parse((await as(person, ['grants', '--json'])).stdout));

  /** The request that waits for Lena, once a program has asked; fails where that ends before. */
  async function requestOf(program: Promise<Run>): Promise<RequestView> {
    let ended: Run | undefined;
    void program.then((run) => (ended = run));
    for (;;) {
      const list = await as(PEOPLE.lena, ['requests', '--to-approve', '--json']);
      const [request] = z.array(RequestView).parse(JSON.parse(list.stdout));
      if (request !== undefined) return request;
      assert.equal(ended, undefined);
    }
  }

  async function untilNobodyIsIn(groupId: string): Promise<void> {
    while (databricks.members(groupId).length > 0) await pause(50);
  }

  it('has access while a program runs, and not before and not after', async () => {
    const asOneself = ['exec', '--workspace', 'ml-prod', ...program(QUERY)];
    assert.equal((await as(PEOPLE.ana, asOneself)).stdout, '403\n');
    const run = await as(PEOPLE.ana, [...member, ...program(QUERY)]);
    assert.deepEqual([run.code, run.stdout], [0, '200\n'], run.stderr);
    assert.match(run.stderr, /is active until [^]*Returned Query the recsys ranker\./);
    await untilNobodyIsIn('9101');
    assert.equal((await as(PEOPLE.ana, asOneself)).stdout, '403\n');
  });

  it('returns the access also when it is told to stop while the program runs', async () => {
    let told = false;
    const waiting = `process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000); console.log('up');`;
    const run = await as(PEOPLE.ana, [...member, ...program(waiting)], {
      onStdout(text, kill) {
        if (told || !text.includes('up')) return;
        told = true;
        kill('SIGTERM');
      },
    });
    assert.equal(run.code, 9, run.stderr);
    assert.match(run.stderr, /Returned Query the recsys ranker\./);
    await untilNobodyIsIn('9101');
  });

  it('leaves a grant that was there before', async () => {
    const asked = await as(PEOPLE.ana, [
      ...['request', 'recsys-endpoint-query', '--purpose', 'All day', '--for', '1h', '--wait', '--json'],
    ]);
    assert.equal(asked.code, 0, asked.stderr);
    const grant = GrantView.parse(JSON.parse(asked.stdout));
    assert.equal(grant.state, 'active');
    const run = await as(PEOPLE.ana, [...member, ...program(QUERY)]);
    assert.deepEqual([run.code, run.stdout], [0, '200\n'], run.stderr);
    const tooLong = await as(PEOPLE.ana, [...member.slice(0, -1), '7h', ...program(QUERY)]);
    assert.deepEqual([tooLong.code, tooLong.stdout], [1, '']);
    assert.deepEqual(
      (await grantsOf(PEOPLE.ana)).map(({ id, state }) => [id, state]),
      [[grant.id, 'active']],
    );
    const returned = await as(PEOPLE.ana, ['return', grant.id]);
    assert.equal(returned.code, 0, returned.stderr);
    await untilNobodyIsIn('9101');
  });

  it('acts as a role that is somebody else, once a lead approved, also when it is extended, until somebody ends it', async () => {
    const works = Promise.withResolvers<undefined>();
    const running = as(
      PEOPLE.ana,
      ['exec', '--role', 'recsys-deployer', '--purpose', 'Roll out', ...program(ASKING)],
      {
        onStdout(text) {
          if (text.includes('got a token')) works.resolve(undefined);
        },
      },
    );
    const request = await requestOf(running);
    const own = await as(PEOPLE.ana, ['approve', request.id]);
    assert.equal(own.code, 1);
    assert.match(own.stderr, /Nobody decides on their own request/);
    const approved = await as(PEOPLE.lena, ['approve', request.id, '--comment', 'Go ahead']);
    assert.equal(approved.code, 0, approved.stderr);
    assert.equal(await Promise.race([works.promise, running]), undefined);
    const [grant, ...others] = await grantsOf(PEOPLE.ana);
    assert.equal(grant?.role.id, 'recsys-deployer');
    assert.deepEqual(others, []);
    const extended = await as(PEOPLE.lena, ['extend', grant.id, '--for', '10m']);
    assert.equal(extended.code, 0, extended.stderr);
    assert.match(extended.stdout, /^Extended until .*Deploy the recsys endpoints/);
    const why = ['--reason', 'The rollout is off'];
    assert.equal((await as(PEOPLE.omar, ['revoke', grant.id, ...why])).code, 1);
    // By the name of the grant that was there first: what is ended is what it became.
    const revoked = await as(PEOPLE.lena, ['revoke', grant.id, ...why]);
    assert.equal(revoked.code, 0, revoked.stderr);
    assert.match(revoked.stdout, /^Revoked: Deploy the recsys endpoints of Ana Silva \(grant /);
    const run = await running;
    assert.deepEqual([run.code, run.stdout], [0, 'got a token\nrefused grant_ended\n'], run.stderr);
    assert.match(run.stderr, /The access has ended while the program runs/);
    await untilNobodyIsIn('9103');
  });

  it('is handed over to a program that nobody signs in for, once, and stays when that ends', async () => {
    const asking = as(PEOPLE.ana, ['request', 'recsys-deployer', '--purpose', 'Nightly', '--wait', '--json']);
    await as(PEOPLE.lena, ['approve', (await requestOf(asking)).id]);
    const asked = await asking;
    const grant = GrantView.parse(JSON.parse(asked.stdout));
    const offered = await as(PEOPLE.ana, ['hand-over', grant.id, '--name', 'nightly']);
    const code = offered.stdout.trim();
    assert.match(code, /^oamh_/, offered.stderr);

    idp.pause();
    try {
      const seen = `console.log(process.env.OAM_HAND_OVER ?? 'not seen')`;
      const alone = { env: { ...env, OAM_HAND_OVER: code } };
      const run = await oam(['exec', '--no-keychain', ...program(QUERY + seen)], alone);
      assert.deepEqual([run.code, run.stdout], [0, '200\nnot seen\n'], run.stderr);
      const again = await oam(['exec', '--no-keychain', ...program(QUERY)], alone);
      assert.equal(again.code, 1);
      assert.match(again.stderr, /was used before/);
      assert.ok(!again.stderr.includes(code));
    } finally {
      idp.resume();
    }
    const listed = await as(PEOPLE.ana, ['runners', grant.id]);
    assert.match(listed.stdout, /nightly +ended/);
    assert.deepEqual(
      (await grantsOf(PEOPLE.ana)).map(({ id, state }) => [id, state]),
      [[grant.id, 'active']],
    );
    await as(PEOPLE.ana, ['return', grant.id]);
    await untilNobodyIsIn('9103');
  });

  it('goes on under a role of its own when the session of whoever asked has ended', async () => {
    const sessionsEnd = 'session-ends';
    let ended = false;
    const code = `
      const { DATABRICKS_HOST: host, DATABRICKS_METADATA_SERVICE_URL: url } = process.env;
      console.log('${sessionsEnd}');
      setTimeout(async () => {
        const answer = await (await fetch(url, { headers: {
          'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': host } })).json();
        console.log(answer.access_token ? 'a token' : answer.error);
      }, 500);
    `;
    const running = as(
      PEOPLE.ana,
      ['exec', '--role', 'recsys-deployer', '--purpose', 'Roll out', ...program(code)],
      {
        onStdout(text) {
          if (ended || !text.includes(sessionsEnd)) return;
          ended = true;
          void idp.revokeSessions(PEOPLE.ana.sub);
          idp.pause();
        },
      },
    );
    await as(PEOPLE.lena, ['approve', (await requestOf(running)).id]);
    const run = await running;
    idp.resume();
    assert.deepEqual([run.code, run.stdout], [0, `${sessionsEnd}\na token\n`], run.stderr);
    assert.match(run.stderr, /Returned Deploy the recsys endpoints/);
    await untilNobodyIsIn('9103');
  });

  for (const [what, args, said] of [
    ['a role that does not exist', ['request', 'nosuch', '--purpose', 'p', '--for', '30m'], /no such role/],
    ['no purpose', ['request', 'recsys-endpoint-query', '--purpose', '', '--for', '30m'], /what you need/],
    [
      'a purpose of 10 000 characters',
      ['request', 'recsys-endpoint-query', '--purpose', 'x'.repeat(10_000), '--for', '30m'],
      /too long/,
    ],
    [
      'a window of 0',
      ['request', 'recsys-endpoint-query', '--purpose', 'p', '--for', '0m'],
      /at least one minute/,
    ],
    [
      'a window of 400 days',
      ['request', 'recsys-endpoint-query', '--purpose', 'p', '--for', '400d'],
      /Ask for a shorter time/,
    ],
  ] as const) {
    it(`refuses ${what}, in a sentence, and grants nothing`, async () => {
      const run = await as(PEOPLE.ana, args);
      assert.deepEqual([run.code, run.stdout], [1, '']);
      assert.match(run.stderr, said);
      assert.deepEqual(databricks.members('9101'), []);
    });
  }

  it("tells an auditor the policy's reason", async () => {
    const run = await as(PEOPLE.aude, ['request', 'recsys-endpoint-query', '--purpose', 'p', '--for', '30m']);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /- Auditors/);
  });

  it('finds the demo policy good, and says where another is not', async () => {
    const hosts = {
      OAM_WORKSPACE_PROD: 'https://a.cloud.databricks.com',
      OAM_WORKSPACE_DEV: 'https://b.cloud.databricks.com',
    };
    const good = await oam(['policy', 'check', 'demo/policy'], { env: hosts });
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /4 roles, 2 teams, 2 workspaces/);
    const bad = await oam(['policy', 'check', folder], { env: hosts });
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /^oam: /);
  });

  it('finds a role with personal access tokens good only for a configuration that offers them', async () => {
    const env = {
      OAM_WORKSPACE_PROD: 'https://a.cloud.databricks.com',
      OAM_WORKSPACE_DEV: 'https://b.cloud.databricks.com',
    };
    const policy = join(folder, 'policy');
    await cp('demo/policy', policy, { recursive: true });
    const catalogue = join(policy, 'catalogue.yaml');
    const text = await readFile(catalogue, 'utf8');
    await writeFile(
      catalogue,
      text.replace('credential: federated', 'credential: pat').replace('maxMinutes: 120', 'maxMinutes: 60'),
    );
    const off = await oam(['policy', 'check', policy], { env });
    assert.equal(off.code, 1);
    assert.match(off.stderr, /catalogue\.yaml:\d+: Role 'recsys-deployer': 'pat' is off/);
    const without = join(folder, 'oam.yaml');
    assert.equal((await oam(['policy', 'check', policy, '--config', without], { env })).code, 1);
    const offering = join(folder, 'oam-pat.yaml');
    const configuration: unknown = JSON.parse(await readFile(without, 'utf8'));
    const { databricks: core } = z.object({ databricks: z.looseObject({}) }).parse(configuration);
    const pat = { clientId: 'another', clientSecretEnv: 'OAM_PAT_CLIENT_SECRET' };
    await writeFile(
      offering,
      JSON.stringify(Object.assign({}, configuration, { databricks: { ...core, pat } })),
    );
    const on = await oam(['policy', 'check', policy, '--config', offering], { env });
    assert.equal(on.code, 0, on.stderr);
  });

  it('stops the control plane in order on SIGTERM, leaving nothing that runs and no secret in its log', async () => {
    const started = Date.now();
    server.kill('SIGTERM');
    const [code] = (await once(server, 'exit')) as [number | null];
    assert.equal(code, 0, log);
    assert.ok(Date.now() - started < 15_000);
    assert.ok(
      !(await readdir(join(folder, 'data'), { recursive: true })).some((name) =>
        name.endsWith('postmaster.pid'),
      ),
    );
    for (const secret of [secrets.key, databricks.coreCredentials.secret, 'eyJ'])
      assert.ok(!log.includes(secret));
  });
});
