import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { SEED } from '../../src/sandbox/databricks/index.ts';
import { CommandLine } from './commandLine.ts';
import { clientStage, type ClientStage } from './stage.ts';

const PURPOSE = ['--purpose', 'Compare the ranker with the new training run'];

/** Until a membership that was given back is gone: two reads of its absence, and the sweeper's own pace. */
const GONE_WITHIN_MS = 20_000;

describe('oam exec', () => {
  let on: ClientStage | undefined;
  const there = (): ClientStage => on ?? assert.fail('The stage is not set.');
  const as = (person: keyof typeof PEOPLE): CommandLine => commandLineOf(there(), person);

  before(async function () {
    on = await clientStage(this, { absenceConfirmMs: 500 });
  });
  after(async () => {
    await on?.stage.close();
  });

  it('runs Python as the person: Databricks knows them, and refuses in its own words what they may not', async () => {
    const { code, output } = await as('ana').run([
      'exec',
      '--workspace',
      'ml-prod',
      '--',
      'python',
      'score.py',
    ]);
    assert.match(output, /I am ana\.silva@example\.com on http:\/\/127\.0\.0\.1:\d+/);
    assert.match(output, /PERMISSION_DENIED: /);
    assert.equal(code, 1);
  });

  it('has a role while the program runs, and gives it back at its end', async () => {
    const words = ['exec', '--role', 'recsys-endpoint-query', ...PURPOSE, '--for', '5m'];
    const { code, output } = await as('ana').run([...words, '--', 'python', 'score.py']);
    assert.match(output, /The ranker answers: /);
    assert.equal(code, 0, output);
    await until(() => there().stage.databricks.members(SEED.jitGroups.endpointQuery.id).length === 0);
  });

  it('puts no token into the environment of what it runs', async () => {
    const script = 'import os; print(sorted(k for k in os.environ if k.startswith("DATABRICKS_")))';
    const { code, output } = await as('ana').run(
      ['exec', '--workspace', 'ml-prod', '--', 'python', '-c', script],
      { DATABRICKS_TOKEN: 'dapi-somebody-elses', DATABRICKS_CONFIG_PROFILE: 'work' },
    );
    assert.equal(code, 0, output);
    assert.match(output, /\['DATABRICKS_AUTH_TYPE', 'DATABRICKS_HOST', 'DATABRICKS_METADATA_SERVICE_URL'\]/);
  });

  it("acts as a federated role's service principal, once the lead has approved", async () => {
    const script =
      'from databricks.sdk import WorkspaceClient; print("I am", WorkspaceClient().current_user.me().user_name)';
    const running = as('ana').start([
      ...['exec', '--role', 'recsys-deployer', ...PURPOSE, '--for', '5m'],
      ...['--', 'python', '-c', script],
    ]);
    const [, request = ''] = await running.waitForLine(/\(request ([^)]+)\)/, 30_000);
    const approved = await as('lena').run(['approve', request]);
    assert.equal(approved.code, 0, approved.output);
    const { code } = await running.ended;
    await running.drained;
    assert.equal(code, 0, running.tail());
    assert.match(running.tail(), new RegExp(`I am ${SEED.servicePrincipals.recsysDeployer.applicationId}`));
    await until(() => there().stage.databricks.members(SEED.jitGroups.deployer.id).length === 0);
  });

  it('refuses a role that does not exist, with the next step, and runs nothing', async () => {
    const words = ['exec', '--role', 'recsys-nonsense', ...PURPOSE];
    const { code, output } = await as('ana').run([...words, '--', 'python', '-c', 'print("ran")']);
    assert.notEqual(code, 0);
    assert.doesNotMatch(output, /^ran$/m);
    assert.match(output, /role/i);
  });
});

describe('oam exec, in a workspace that wants a sign-in of its own', () => {
  let on: ClientStage | undefined;
  const there = (): ClientStage => on ?? assert.fail('The stage is not set.');
  const as = (person: keyof typeof PEOPLE): CommandLine => commandLineOf(there(), person);

  before(async function () {
    on = await clientStage(this, {
      absenceConfirmMs: 500,
      databricksTokenSeconds: 30,
      adjustCatalogue: (text) => text.replace('- name: ml-prod\n', '$&    tokenSource: databricks-sign-in\n'),
    });
  });
  after(async () => {
    await on?.stage.close();
  });

  it('serves Python by that sign-in, and renews it while the program runs', async () => {
    const script = [
      'import time',
      'from databricks.sdk import WorkspaceClient',
      'w = WorkspaceClient()',
      'for turn in range(8):',
      '    print("I am", w.current_user.me().user_name, "by", w.config.auth_type, flush=True)',
      '    time.sleep(5)',
    ].join('\n');
    const { code, output } = await as('ana').run([
      ...['exec', '--workspace', 'ml-prod', '--', 'python', '-c', script],
    ]);
    assert.equal(code, 0, output);
    // The last of them long after the first token's thirty seconds.
    assert.equal(output.match(/I am ana\.silva@example\.com by metadata-service/g)?.length, 8, output);
  });

  it('has a role of the kind member by that sign-in while the program runs', async () => {
    const words = ['exec', '--role', 'recsys-endpoint-query', ...PURPOSE, '--for', '5m'];
    const { code, output } = await as('ana').run([...words, '--', 'python', 'score.py']);
    assert.match(output, /The ranker answers: /);
    assert.equal(code, 0, output);
    await until(() => there().stage.databricks.members(SEED.jitGroups.endpointQuery.id).length === 0);
  });
});

const ASSUMED = 'recsys-endpoint-query';
const PERSONAL = 'recsys-deployer';

describe('oam exec, with roles of the kinds that are opt-in', () => {
  let on: ClientStage | undefined;
  const there = (): ClientStage => on ?? assert.fail('The stage is not set.');
  const as = (person: keyof typeof PEOPLE): CommandLine => commandLineOf(there(), person);

  before(async function () {
    on = await clientStage(this, {
      absenceConfirmMs: 500,
      adjustCatalogue: (text) =>
        text
          .replace('credential: member', 'credential: assume')
          .replace('credential: federated', 'credential: pat')
          .replace('maxMinutes: 120', 'maxMinutes: 60'),
    });
  });
  after(async () => {
    await on?.stage.close();
  });

  it('works as a role that is assumed: it has the rights of the role, and the person is on record as who ran it', async () => {
    const script = [
      'from databricks.sdk import WorkspaceClient',
      'w = WorkspaceClient()',
      'print("It answers:", w.serving_endpoints.query("recsys-ranker-prod", dataframe_records=[{"user": 1}]).predictions)',
      'print("Clusters:", len(list(w.clusters.list())))',
    ].join('\n');
    const words = ['exec', '--role', ASSUMED, ...PURPOSE, '--for', '5m'];
    const { code, output } = await as('ana').run([...words, '--', 'python', '-c', script]);
    assert.equal(code, 0, output);
    assert.match(output, /It answers: \[/);
    assert.match(output, /Clusters: 0/, "the person's own rights came along");
    const asked = there()
      .stage.databricks.requests()
      .findLast(({ path }) => path.endsWith('/invocations'));
    assert.deepEqual(
      [asked?.principal, asked?.runBy],
      [SEED.jitGroups.endpointQuery.name, PEOPLE.ana.userName],
    );
    await until(() => there().stage.databricks.members(SEED.jitGroups.endpointQuery.id).length === 0);
  });

  it('works by a personal access token, which the program does not see and which goes at its end', async () => {
    const script = [
      'import os',
      'from databricks.sdk import WorkspaceClient',
      'w = WorkspaceClient()',
      'print("I am", w.current_user.me().user_name)',
      'print("By", w.config.auth_type, w.config.authenticate()["Authorization"][:11])',
      'print(sorted(k for k in os.environ if k.startswith("DATABRICKS_")))',
    ].join('\n');
    const running = as('ana').start([
      ...['exec', '--role', PERSONAL, ...PURPOSE, '--for', '5m'],
      ...['--', 'python', '-c', script],
    ]);
    const [, request = ''] = await running.waitForLine(/\(request ([^)]+)\)/, 30_000);
    const approved = await as('lena').run(['approve', request]);
    assert.equal(approved.code, 0, approved.output);
    const { code } = await running.ended;
    await running.drained;
    assert.equal(code, 0, running.tail());
    assert.match(running.tail(), new RegExp(`I am ${SEED.servicePrincipals.recsysDeployer.applicationId}`));
    assert.match(running.tail(), /By metadata-service Bearer dapi/);
    assert.match(
      running.tail(),
      /\['DATABRICKS_AUTH_TYPE', 'DATABRICKS_HOST', 'DATABRICKS_METADATA_SERVICE_URL'\]/,
    );
    await until(() => there().stage.databricks.personalAccessTokens('prod').length === 0);
    await until(() => there().stage.databricks.members(SEED.jitGroups.deployer.id).length === 0);
  });

  it('shows a personal access token to a tool that takes nothing else, and says what that exposes', async () => {
    const asked = as('ana').start(['request', PERSONAL, ...PURPOSE, '--for', '5m', '--wait']);
    const [, request = ''] = await asked.waitForLine(/\(request ([^)]+)\)|request (\S+)/, 30_000);
    assert.equal((await as('lena').run(['approve', request])).code, 0);
    assert.equal((await asked.ended).code, 0, asked.tail());
    const { output: grants } = await as('ana').run(['grants']);
    const grant = new RegExp(`^(\\S+) +active +${PERSONAL} `, 'm').exec(grants)?.[1] ?? assert.fail(grants);
    const { code, output } = await as('ana').run(['token', '--grant', grant]);
    assert.equal(code, 0, output);
    assert.match(output, /^dapi\S+$/m);
    assert.match(
      output,
      /whoever has it works as the role from anywhere, until it expires or the access ends/,
    );
    assert.equal((await as('ana').run(['return', grant])).code, 0);
    await until(() => there().stage.databricks.personalAccessTokens('prod').length === 0);
  });
});

function commandLineOf({ stage, python, project }: ClientStage, person: keyof typeof PEOPLE): CommandLine {
  return new CommandLine({ stage, python, person: PEOPLE[person], cwd: project });
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `not so after ${String(GONE_WITHIN_MS / 1000)} s`);
    await delay(100);
  }
}
