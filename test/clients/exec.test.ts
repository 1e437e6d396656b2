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
  const as = (person: keyof typeof PEOPLE): CommandLine =>
    new CommandLine({
      stage: there().stage,
      python: there().python,
      person: PEOPLE[person],
      cwd: there().project,
    });

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

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `not so after ${String(GONE_WITHIN_MS / 1000)} s`);
    await delay(100);
  }
}
