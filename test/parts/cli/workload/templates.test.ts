import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { parse } from 'yaml';
import * as z from 'zod/mini';

import { WORKLOAD_PROFILES } from '../../../../src/control-plane/workloads/profiles.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { startIssuer, type TestIssuer } from '../../../unit/sandbox/databricks/stand-in.ts';
import { startWorld, type World } from '../../control-plane/world.ts';
import { AUDIENCE, freshly, GITHUB_JOB, issuerOf, trustIn } from '../../control-plane/workloads/pipelines.ts';
import { WHO_AM_I } from '../oam-process.ts';

const ROOT = join(import.meta.dirname, '../../../..');

const GITLAB_JOB = {
  sub: 'project_path:acme/recsys-models:ref_type:branch:ref:main',
  aud: AUDIENCE,
  project_path: 'acme/recsys-models',
  project_id: '20',
  namespace_path: 'acme',
  namespace_id: '72',
  pipeline_id: '574',
  pipeline_source: 'push',
  job_id: '302',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
  ref_protected: 'true',
  environment: 'production',
  environment_protected: 'true',
  user_login: 'sample-user',
  runner_environment: 'gitlab-hosted',
  sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
};

const AZURE_JOB = {
  sub: 'p://acme/recsys/deploy',
  aud: 'api://AzureADTokenExchange',
  org_id: '5e0bb1c8-8b4a-4e0b-9c1e-2f0a6d9b7c11',
  prj_id: '9a2b6c3d-1111-4a11-9b1e-0a0a0a0a0001',
  def_id: '12',
  rpo_ref: 'refs/heads/main',
  run_id: '345',
};

/** The rules by which the demo's policy would let the others in, too. */
const MORE_RULES = `
@id("gitlab-deploys-from-main")
@because("The GitLab project recsys-models deploys from its main branch.")
permit (principal, action == Action::"workload.at_once", resource == Role::"recsys-deployer")
when { principal.issuer == "gitlab" && principal.hasTag("project_path") && principal.getTag("project_path") == "acme/recsys-models"
  && principal.hasTag("ref_path") && principal.getTag("ref_path") == "refs/heads/main" };

@id("azure-deploys-from-main")
@because("The Azure pipeline 12 deploys from its main branch.")
permit (principal, action == Action::"workload.at_once", resource == Role::"recsys-deployer")
when { principal.issuer == "azure" && principal.hasTag("def_id") && principal.getTag("def_id") == "12"
  && principal.hasTag("rpo_ref") && principal.getTag("rpo_ref") == "refs/heads/main" };
`;

const GitHub = z.object({
  permissions: z.object({ 'id-token': z.literal('write') }),
  jobs: z.object({ deploy: z.object({ steps: z.array(z.object({ run: z.optional(z.string()) })) }) }),
});
const GitLab = z.object({
  deploy: z.object({
    image: z.string(),
    script: z.array(z.string()),
    id_tokens: z.object({ OAM_ID_TOKEN: z.object({ aud: z.string() }) }),
  }),
});
const Azure = z.object({
  steps: z.array(
    z.object({ script: z.optional(z.string()), env: z.optional(z.record(z.string(), z.string())) }),
  ),
});

async function template(name: string): Promise<unknown> {
  return parse(await readFile(join(ROOT, 'docs/pipelines', name), 'utf8'));
}

interface Job {
  readonly scripts: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The templates of docs/pipelines, their steps run in a shell as the places run them, on tokens of the real shape. */
describe('a pipeline by its template', function () {
  this.timeout(60_000);
  const running = new AsyncDisposableStack();
  let world: World;
  let bin = '';
  let place = '';
  const issuers: Record<'github' | 'gitlab' | 'azure', TestIssuer | undefined> = {
    ...{ github: undefined, gitlab: undefined, azure: undefined },
  };
  /** What the places were asked, and what they answer. */
  const asked: { readonly method: string; readonly url: string; readonly authorization: string }[] = [];
  let claims: Record<string, unknown> = {};

  const sign = async (who: keyof typeof issuers, own: Record<string, unknown>): Promise<string> =>
    (issuers[who] ?? assert.fail('There is no issuer.')).sign(await freshly(world, { ...own, ...claims }));

  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'oam-pipelines-'));
    running.defer(() => rm(folder, { recursive: true, force: true }));
    for (const who of ['github', 'gitlab', 'azure'] as const) {
      const issuer = await startIssuer();
      issuers[who] = issuer;
      running.defer(() => issuer.close());
    }
    const policyFolder = join(folder, 'policy');
    await cp(join(ROOT, 'demo/policy'), policyFolder, { recursive: true });
    await appendFile(join(policyFolder, 'requests.cedar'), MORE_RULES);
    const profiles = { github: 'github-actions', gitlab: 'gitlab', azure: 'azure-devops' } as const;
    world = await startWorld({
      policyFolder,
      workloads: trustIn(
        ...(['github', 'gitlab', 'azure'] as const).map((who) =>
          issuerOf(who, issuers[who]?.url ?? '', WORKLOAD_PROFILES[profiles[who]]),
        ),
      ),
    });
    running.defer(() => world.close());

    bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(
      join(folder, 'who.mjs'),
      WHO_AM_I.replace('process.exit(7)', 'if (process.env.FAIL) process.exit(7)'),
    );
    const programs = {
      npm: 'echo "npm $*"',
      oam: `exec ${process.execPath} ${join(ROOT, 'src/cli/main.ts')} "$@"`,
      python: `exec ${process.execPath} ${join(folder, 'who.mjs')}`,
      python3: `exec ${process.execPath} ${join(folder, 'who.mjs')}`,
    };
    for (const [name, text] of Object.entries(programs)) {
      await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
      await chmod(join(bin, name), 0o755);
    }

    const server = createServer((request, response) => {
      void answer(request).then((body) => {
        response.writeHead(body === undefined ? 401 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body ?? {}));
      });
    });
    const answer = async (request: IncomingMessage): Promise<object | undefined> => {
      const { method = '', url = '', headers } = request;
      asked.push({ method, url, authorization: headers.authorization ?? '' });
      if (headers.authorization !== 'Bearer of-the-job') return undefined;
      const aud = new URL(url, 'http://x').searchParams.get('audience');
      if (url.startsWith('/github')) return { value: await sign('github', { ...GITHUB_JOB, aud }), count: 1 };
      return { oidcToken: await sign('azure', AZURE_JOB) };
    };
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    running.defer(() => void server.close());
    place = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  });
  after(() => running.disposeAsync());
  beforeEach(() => {
    asked.length = 0;
    claims = {};
  });

  async function run({ scripts, env }: Job, more: Record<string, string> = {}) {
    let output = '';
    for (const script of scripts) {
      const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
        env: {
          ...{ PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: bin, CI: 'true' },
          ...{ OAM_URL: world.url, OAM_PACKAGE: 'oam@1', ...env, ...more },
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      }
      const [code] = (await once(child, 'close')) as [number];
      if (code !== 0) return { code, output };
    }
    return { code: 0, output };
  }

  const jobs: Record<string, () => Promise<Job>> = {
    'GitHub Actions': async () => {
      const { jobs: found } = GitHub.parse(await template('github-actions.yml'));
      return {
        scripts: found.deploy.steps.flatMap((step) => step.run ?? []),
        env: {
          GITHUB_SHA: GITHUB_JOB.sha,
          ACTIONS_ID_TOKEN_REQUEST_URL: `${place}/github?api-version=2.0`,
          ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-job',
        },
      };
    },
    'GitLab CI': async () => {
      const { deploy } = GitLab.parse(await template('gitlab-ci.yml'));
      // As in every image of Debian's: there is a python3, and no python.
      assert.equal(deploy.image, 'node:24');
      assert.doesNotMatch(deploy.script.join('\n'), /\bpython /);
      const token = await sign('gitlab', { ...GITLAB_JOB, aud: deploy.id_tokens.OAM_ID_TOKEN.aud });
      return {
        scripts: [deploy.script.join('\n')],
        env: { CI_COMMIT_SHA: GITLAB_JOB.sha, GITLAB_CI: 'true', OAM_ID_TOKEN: token },
      };
    },
    'Azure DevOps': async () => {
      const { steps } = Azure.parse(await template('azure-pipelines.yml'));
      assert.equal(steps.at(-1)?.env?.['SYSTEM_ACCESSTOKEN'], '$(System.AccessToken)');
      return {
        scripts: steps.flatMap((step) => step.script ?? []),
        env: {
          ...{
            BUILD_SOURCEVERSION: GITHUB_JOB.sha,
            SYSTEM_ACCESSTOKEN: 'of-the-job',
            SYSTEM_HOSTTYPE: 'build',
          },
          ...{ SYSTEM_TEAMFOUNDATIONCOLLECTIONURI: `${place}/azure/`, SYSTEM_TEAMPROJECTID: 'p1' },
          ...{ SYSTEM_PLANID: 'plan1', SYSTEM_JOBID: 'job1' },
        },
      };
    },
  };

  /** Until nobody is a member of the role's group any more. */
  async function untilNobody(): Promise<void> {
    while (world.databricks.members(SEED.jitGroups.deployer.id).length > 0) await delay(50);
  }

  for (const [name, job] of Object.entries(jobs)) {
    it(`in ${name} deploys as the role, gives it back, and hands nobody who the job is`, async () => {
      const { code, output } = await run(await job());
      assert.equal(code, 0, output);
      assert.match(output, /^npm install --global oam@1$/m);
      assert.match(output, new RegExp(`"me":"${SEED.servicePrincipals.recsysDeployer.applicationId}"`));
      assert.match(output, /Returned /);
      await untilNobody();
      assert.doesNotMatch(output, /of-the-job|eyJ/);
    });

    it(`in ${name} ends with the exit code of what it runs, and gives the role back then, too`, async () => {
      const { code, output } = await run(await job(), { FAIL: '1' });
      assert.equal(code, 7, output);
      assert.match(output, /Returned /);
      await untilNobody();
    });
  }

  it('from another branch gets nothing, is told by which rule, and runs nothing', async () => {
    claims = { ref: 'refs/heads/feature' };
    const { code, output } = await run(
      (await jobs['GitHub Actions']?.()) ?? assert.fail('There is no such job.'),
    );
    assert.equal(code, 1, output);
    assert.match(output, /deployments-from-main/);
    assert.doesNotMatch(output, /"me"/);
  });

  it('asks GitHub for a token for OAM alone, and Azure DevOps at the address of the job', async () => {
    for (const name of ['GitHub Actions', 'Azure DevOps']) {
      await run((await jobs[name]?.()) ?? assert.fail('There is no such job.'));
    }
    const urls = asked.map(({ method, url }) => `${method} ${url}`);
    assert.equal(urls[0], `GET /github?api-version=2.0&audience=${encodeURIComponent(AUDIENCE)}`);
    assert.ok(
      urls.includes(
        'POST /azure/p1/_apis/distributedtask/hubs/build/plans/plan1/jobs/job1/oidctoken?api-version=7.2-preview.1',
      ),
      urls.join('\n'),
    );
  });

  it('without a role, or with what only people have, is told so before anything is asked for', async () => {
    const job = (await jobs['GitLab CI']?.()) ?? assert.fail('There is no such job.');
    for (const words of ['', '--workspace ml-prod', '--file-oidc --role recsys-deployer --purpose x']) {
      const { code, output } = await run({ ...job, scripts: [`oam exec ${words} -- python deploy.py`] });
      assert.equal(code, 2, output);
      assert.match(output, /name a role with --role/);
    }
  });

  it('with a token that nobody trusts is refused, and the token is not shown', async () => {
    const stranger = await startIssuer();
    try {
      const token = await stranger.sign(await freshly(world, GITLAB_JOB));
      const job = (await jobs['GitLab CI']?.()) ?? assert.fail('There is no such job.');
      const { code, output } = await run(job, { OAM_ID_TOKEN: token });
      assert.notEqual(code, 0);
      assert.match(output, /does not take this job[^]*issuer/);
      assert.ok(!output.includes(token));
    } finally {
      await stranger.close();
    }
  });
});
