import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { appendFile, chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ROOT } from '../../demo/stage/folders.ts';
import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { WORKLOAD_PROFILES } from '../../src/control-plane/workloads/profiles.ts';
import { SEED } from '../../src/sandbox/databricks/index.ts';
import { startWorld, type World } from '../parts/control-plane/world.ts';
import { freshly, issuerOf, trustIn } from '../parts/control-plane/workloads/pipelines.ts';
import { orSkip, skipAloud } from '../reporting/skip.ts';
import { startIssuer } from '../unit/sandbox/databricks/stand-in.ts';

const ROLE_ARN = 'arn:aws:iam::123456789012:role/recsys-training-cluster';

const RULES = `
@id("training-cluster")
@because("The training cluster of recsys has its role by its instance profile.")
permit (principal, action == Action::"workload.at_once", resource == Role::"recsys-deployer")
when { principal.issuer == "aws" && principal.hasTag("role_arn") && principal.getTag("role_arn") == "${ROLE_ARN}" };
`;

/** Stands for AWS: the cluster asks the instance's own services, which this machine has not. */
const BOTO3 = `
import os, urllib.parse, urllib.request

class client:
    def __init__(self, service):
        assert service == "sts"

    def get_web_identity_token(self, Audience, SigningAlgorithm, DurationSeconds):
        assert SigningAlgorithm == "RS256" and DurationSeconds <= 3600
        question = urllib.parse.urlencode({"aud": Audience[0]})
        return {"WebIdentityToken": urllib.request.urlopen(os.environ["TEST_STS"] + "?" + question).read().decode()}
`;

/** Works past two ends of its tokens, by Databricks' own SDK, and says as whom. */
const TRAIN = `
import os, time
from databricks.sdk import WorkspaceClient
w = WorkspaceClient()
tokens, until = set(), time.time() + 30
while time.time() < until:
    tokens.add(w.config.authenticate()["Authorization"])
    me = w.current_user.me().user_name
    time.sleep(1)
print("I am", me)
print("Tokens:", len(tokens))
print("Left of the job:", sorted(n for n in os.environ if n.startswith(("DATABRICKS_TOKEN", "OAM_ID_TOKEN"))))
`;

/** docs/pipelines/databricks_job.py and its init script, as a job of a Databricks cluster would run them. */
describe('a job on a Databricks cluster', function () {
  this.timeout(60_000);
  const running = new AsyncDisposableStack();
  let world: World;
  let python: PythonEnvironment;
  let folder = '';
  let sts = '';

  before(async function () {
    this.timeout(600_000);
    python = await orSkip(this, () => installPython(console.log));
    folder = await mkdtemp(join(tmpdir(), 'oam-cluster-'));
    running.defer(() => rm(folder, { recursive: true, force: true }));
    const issuer = await startIssuer();
    running.defer(() => issuer.close());
    const policyFolder = join(folder, 'policy');
    await cp(join(ROOT, 'demo/policy'), policyFolder, { recursive: true });
    await appendFile(join(policyFolder, 'requests.cedar'), RULES);
    world = await startWorld({
      policyFolder,
      seed: { tokenSeconds: 14 },
      workloads: trustIn(issuerOf('aws', issuer.url, WORKLOAD_PROFILES['aws-iam'])),
    });
    running.defer(() => world.close());
    const server = createServer((request, response) => {
      const aud = new URL(request.url ?? '', 'http://x').searchParams.get('aud') ?? '';
      void freshly(world, {
        sub: ROLE_ARN,
        aud,
        'https://sts.amazonaws.com/': { aws_account: '123456789012' },
      })
        .then((claims) => issuer.sign(claims))
        .then((token) => response.end(token));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    running.defer(() => void server.close());
    sts = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
    const programs = {
      oam: `exec ${process.execPath} ${join(ROOT, 'src/cli/main.ts')} "$@"`,
      // What the init script fetches and installs is not what is looked at here.
      curl: 'echo "$@" >> "$HOME/asked"; printf nothing',
      tar: 'cat > /dev/null',
      npm: 'echo "$@" >> "$HOME/asked"',
    };
    await mkdir(join(folder, 'bin'));
    for (const [name, text] of Object.entries(programs)) {
      await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${text}\n`);
      await chmod(join(folder, 'bin', name), 0o755);
    }
    await writeFile(join(folder, 'boto3.py'), BOTO3);
    await writeFile(join(folder, 'train.py'), TRAIN);
  });
  after(() => running.disposeAsync());

  type Mode = 'SINGLE_USER' | 'USER_ISOLATION' | undefined;

  /** A job on a cluster of that access mode, in the environment that its run-as principal has there. */
  async function job(mode: Mode, words: readonly string[], runAs?: string) {
    return (await startJob(mode, words, runAs)).ended;
  }

  async function startJob(mode: Mode, words: readonly string[], runAs = 'ana.silva@example.com') {
    const { prod } = world.databricks.workspaces;
    const token = world.databricks.personalAccessToken('prod', runAs);
    const headers = { authorization: `Bearer ${token}` };
    const listed = await (await fetch(`${prod.host}/api/2.1/clusters/list`, { headers })).json();
    const { clusters } = listed as { clusters: { cluster_id: string; data_security_mode: string }[] };
    const cluster = clusters.find((each) => each.data_security_mode === mode);
    const file = join(folder, `cluster-${String(mode)}`);
    if (mode !== undefined)
      await writeFile(file, cluster?.cluster_id ?? assert.fail(`There is no cluster: ${mode}`));
    return start(python.python, [join(ROOT, 'docs/pipelines/databricks_job.py'), ...words], {
      ...{ PYTHONPATH: folder, TEST_STS: sts, OAM_URL: world.url, OAM_CLUSTER_ID_FILE: file },
      ...{ DATABRICKS_HOST: prod.host, DATABRICKS_TOKEN: token },
    });
  }

  const run = (command: string, words: readonly string[], env: Record<string, string> = {}) =>
    start(command, words, env).ended;

  function start(command: string, words: readonly string[], env: Record<string, string> = {}) {
    const child = spawn(command, words, {
      env: { PATH: `${folder}/bin:${python.bin}:${process.env['PATH'] ?? ''}`, HOME: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const shown = new EventEmitter();
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        shown.emit('more');
      });
    }
    const closed = once(child, 'close') as Promise<[number | null]>;
    return {
      ended: closed.then(([code]) => ({ code, output })),
      kill: (signal: NodeJS.Signals) => child.kill(signal),
      until: async (pattern: RegExp): Promise<void> => {
        while (!pattern.test(output)) await once(shown, 'more');
      },
    };
  }

  const ASK = ['--role', 'recsys-deployer', '--purpose', 'Nightly training', '--for', '1h', '--'];

  it('has its role by the instance profile, past the ends of its tokens, and gives it back', async function () {
    this.timeout(120_000);
    const { code, output } = await job('SINGLE_USER', [...ASK, 'python', join(folder, 'train.py')]);
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`I am ${SEED.servicePrincipals.recsysDeployer.applicationId}`));
    assert.ok(Number(/Tokens: (\d+)/.exec(output)?.[1]) >= 3, output);
    assert.match(output, /Left of the job: \[\]/);
    assert.match(output, /Returned /);
  });

  it('ends with the exit code of its command', async () => {
    assert.equal((await job('SINGLE_USER', [...ASK, 'sh', '-c', 'exit 9'])).code, 9);
  });

  /** Works until it is told to stop, then saves its work. */
  const WORKING = [
    'sh',
    '-c',
    `trap 'echo saved; exit 9' TERM; echo at work; for i in $(seq 300); do sleep 0.1; done`,
  ];

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`ends with its command where it is stopped by ${signal}, and gives the role back`, async () => {
      const working = signal === 'SIGTERM' ? WORKING : WORKING.map((word) => word.replace('TERM', 'INT'));
      const { until, kill, ended } = await startJob('SINGLE_USER', [...ASK, ...working]);
      await until(/at work/);
      kill(signal);
      const { code, output } = await ended;
      assert.equal(code, 9, output);
      assert.match(output, /saved\n[^]*Returned /);
    });
  }

  it('ends with its command where it is killed, and gives the role back', async function () {
    if (process.platform !== 'linux') skipAloud(this, 'clusters are Linux');
    const { until, kill, ended } = await startJob('SINGLE_USER', [...ASK, ...WORKING]);
    await until(/at work/);
    kill('SIGKILL');
    // Its streams are those of its command, which end with the last of them.
    assert.match((await ended).output, /saved\n[^]*Returned /);
  });

  it('is refused on a cluster that is dedicated to others, as those of a group share one', async () => {
    const { code, output } = await job('SINGLE_USER', [...ASK, 'echo', 'it ran'], 'lena.fischer@example.com');
    assert.equal(code, 1);
    assert.match(output, /dedicated to ana\.silva@example\.com, and this job runs as lena/);
    assert.doesNotMatch(output, /it ran/);
  });

  it('is refused on a shared cluster, and where nobody says what cluster it is, and nothing runs', async () => {
    for (const [mode, why] of [
      ['USER_ISOLATION', /access mode is USER_ISOLATION/],
      [undefined, /not set up by databricks_cluster_init\.sh/],
    ] as const) {
      const { code, output } = await job(mode, [...ASK, 'echo', 'it ran']);
      assert.equal(code, 1);
      assert.match(output, why);
      assert.doesNotMatch(output, /it ran/);
    }
    assert.deepEqual(world.databricks.members(SEED.jitGroups.deployer.id).length, 0);
  });

  it('finds by its init script what it needs, and no secret lies there', async () => {
    const script = join(ROOT, 'docs/pipelines/databricks_cluster_init.sh');
    await mkdir(join(folder, 'local-bin'), { recursive: true });
    const env = { OAM_FOLDER: join(folder, 'oam'), OAM_BIN: join(folder, 'local-bin') };
    const settings = { OAM_PACKAGE: 'oam@1', OAM_NODE: 'https://mirror.example/node.tar.xz' };
    assert.equal((await run('bash', [script], { ...env, ...settings })).code, 1, 'on no cluster');
    const { code, output } = await run('bash', [script], { ...env, ...settings, DB_CLUSTER_ID: '1002-1-x' });
    assert.equal(code, 0, output);
    assert.equal((await run('cat', [join(folder, 'oam/cluster-id')])).output, '1002-1-x');
    assert.match(
      (await run('cat', [join(folder, 'asked')])).output,
      /--proto =https https:\/\/mirror[^]*install --global oam@1/,
    );
  });
});
