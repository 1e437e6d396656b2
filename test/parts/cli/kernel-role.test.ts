import assert from 'node:assert/strict';

import { ROOT } from '../../../demo/stage/folders.ts';
import { type Stage, startStage } from '../../../demo/stage/stage.ts';
import { PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';
import { CommandLine } from '../../clients/commandLine.ts';
import { ASKING } from './oam-process.ts';

const ROLE = 'recsys-deployer';

describe('a kernel that works as a role', function () {
  this.timeout(120_000);
  let stage: Stage;

  before(async () => {
    // Tokens live as long as those of the real Databricks: what is in hand is good for long after an early end.
    stage = await startStage({ absenceConfirmMs: 200 });
  });
  after(() => stage.close());

  const as = (person: keyof typeof PEOPLE): CommandLine =>
    new CommandLine({ stage, person: PEOPLE[person], cwd: ROOT });

  async function holdRole(): Promise<void> {
    const asked = as('ana').start(['request', ROLE, '--purpose', 'Deploy it', '--for', '30m', '--wait']);
    const [, request = ''] = await asked.waitForLine(/request ([0-9a-f-]{36})/, 60_000);
    assert.equal((await as('lena').run(['approve', request])).code, 0);
    assert.equal((await asked.ended).code, 0, asked.tail());
  }

  it('gets nothing more once the access was taken away, though a token is in hand', async () => {
    await holdRole();
    const { host } = stage.databricks.workspaces.prod;
    const kernel = as('ana').start([
      ...['kernel', 'run', '--host', host, '--role', ROLE],
      ...['--', process.execPath, '--input-type=module', '-e', ASKING],
    ]);
    await kernel.waitForLine(/^got a token/m, 60_000);
    const { output } = await as('ana').run(['grants', '--json']);
    const [, grant = ''] = /"id":"([0-9a-f-]{36})"/.exec(output) ?? [];
    const returned = await as('ana').run(['return', grant]);
    assert.equal(returned.code, 0, returned.output);
    await kernel.waitForLine(/^refused grant_ended/m, 60_000);
    await kernel.ended;
  });
});
