import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { ROOT } from '../../demo/stage/folders.ts';
import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { PEOPLE, signInHeadless } from '../../src/sandbox/identity-provider/index.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../src/protocol/client.ts';
import { axiosTransport } from '../../src/protocol/transport.ts';
import { orSkip } from '../reporting/skip.ts';
import { CommandLine } from './commandLine.ts';
import { KernelDriver } from './kernel-driver.ts';
import { clientStage, type ClientStage } from './stage.ts';

const TOKEN_SECONDS = 12;
const ID_TOKEN_SECONDS = 30;

/** Where a recording of the cells goes, for the documentation; nowhere unless told. */
const RECORDING = process.env['OAM_KERNEL_RECORDING'];

/** What a notebook does: one client, asked again and again. */
const SET_UP = `import os
from databricks.sdk import WorkspaceClient

workspace = WorkspaceClient()

def ask():
    try:
        answer = workspace.serving_endpoints.query(name="recsys-ranker-prod", dataframe_records=[{"user_id": 42}])
        print("The ranker answers:", answer.predictions)
    except Exception as error:
        print(type(error).__name__ + ":", str(error).split(" Please")[0])`;
const QUERY = 'ask()';

describe("a kernel's life, as its user sees it", () => {
  let on: ClientStage | undefined;
  let python: PythonEnvironment;
  let driver: KernelDriver | undefined;
  const there = (): ClientStage => on ?? assert.fail('The stage is not set.');
  const recorded: string[] = [];

  before(async function () {
    on = await clientStage(this, {
      databricksTokenSeconds: TOKEN_SECONDS,
      idTokenSeconds: ID_TOKEN_SECONDS,
      absenceConfirmMs: 500,
    });
    const packages = { name: 'what runs notebooks', file: join(ROOT, 'test/clients/notebooks.txt') };
    python = await orSkip(this, () => installPython(console.log, { packages }));
  });
  after(async () => {
    await driver?.close();
    await on?.stage.close();
    if (RECORDING !== undefined) await writeFile(RECORDING, `${recorded.join('\n\n')}\n`);
  });

  async function clientOf(person: keyof typeof PEOPLE): Promise<ControlPlaneClient> {
    const { controlPlane, identityProvider } = there().stage;
    const session = await signInHeadless(PEOPLE[person], identityProvider);
    return createControlPlaneClient({
      baseUrl: controlPlane.url,
      accessToken: () => Promise.resolve(session.accessToken),
      transport: axiosTransport(),
    });
  }

  async function cell(code: string): Promise<string> {
    const { printed } = await (driver ?? assert.fail('no kernel')).run(code);
    recorded.push([...code.split('\n').map((line) => `>>> ${line}`), printed.trimEnd()].join('\n'));
    return printed;
  }

  /** Runs a cell until it prints what is waited for; the others are not recorded. */
  async function cellUntil(code: string, pattern: RegExp): Promise<string> {
    const giveUpAtMs = Date.now() + 60_000;
    for (;;) {
      const printed = await cell(code);
      if (pattern.test(printed)) return printed;
      recorded.pop();
      assert(Date.now() < giveUpAtMs, printed);
      await delay(1_000);
    }
  }

  const happens = (what: string): void => {
    recorded.push(`--- ${what}`);
  };

  it('goes through a sign-in, three expiries, a renewal and a revocation in one process', async function () {
    this.timeout(300_000);
    const { stage, project } = there();
    const data = join(stage.folder, 'jupyter');
    const ana = new CommandLine({ stage, python, person: PEOPLE.ana, cwd: project });
    const installed = await ana.run(['kernel', 'install', '--workspace', 'ml-prod'], {
      JUPYTER_DATA_DIR: data,
    });
    assert.equal(installed.code, 0, installed.output);
    const inherited = Object.entries(process.env).filter(([key]) => !/^(DATABRICKS_|OAM_|MLFLOW_)/.test(key));
    const env = { ...Object.fromEntries(inherited), HOME: stage.folder, JUPYTER_DATA_DIR: data };
    driver = await KernelDriver.start({
      ...{ python, kernelName: 'oam', env, cwd: project, person: PEOPLE.ana },
    });
    const anaAtOam = await clientOf('ana');
    const lena = await clientOf('lena');

    happens('the kernel starts; Ana confirms the code that it shows in her browser');
    await cellUntil(SET_UP, /^$/);
    assert.match(
      await cell('print(workspace.current_user.me().user_name, os.getpid())'),
      /^ana\.silva@example\.com \d+/,
    );
    const pid = await cell('print(os.getpid())');
    recorded.pop();
    await cellUntil('%oam', /everyday access, and no role/);
    assert.match(await cell(QUERY), /PermissionDenied/);

    happens('Ana asks for the role in VS Code; policy grants it at once');
    const asked = await anaAtOam.call('createRequest', {
      body: { roleId: 'recsys-endpoint-query', purpose: 'Compare the ranker', minutes: 10 },
    });
    await cellUntil(QUERY, /The ranker answers/);
    const first = await cellUntil('%oam', /Query.*: (?:9|10) min left/);

    for (const expiry of ['first', 'second', 'third']) {
      await delay(TOKEN_SECONDS * 1000);
      happens(`her token has run out, the ${expiry} time`);
      assert.match(await cell(QUERY), /The ranker answers/);
    }

    happens('Ana extends her access with one click');
    const { items } = await anaAtOam.call('listGrants', { query: { scope: 'mine', open: 'true' } });
    const grant = items.find(({ requestId }) => requestId === asked.id) ?? assert.fail('no grant');
    await anaAtOam.call('extendGrant', { params: { id: grant.id }, body: { minutes: 20 } });
    const second = await cellUntil('%oam', /(?:2\d) min left/);
    assert.notEqual(first, second);
    assert.match(await cell(QUERY), /The ranker answers/);

    happens('Lena, her lead, revokes it');
    const open = await lena.call('listGrants', { query: { scope: 'team', open: 'true' } });
    for (const { id, version, chainId, state } of open.items) {
      if (chainId === grant.chainId && state === 'active') {
        await lena.call('revokeGrant', {
          params: { id },
          version,
          body: { reason: 'The comparison is over' },
        });
      }
    }
    const ended = await cellUntil(QUERY, /The access has ended/);
    assert.match(ended, /OAM: The access has ended: .* Ask for it again, in VS Code or with `oam request`\./);
    await cellUntil(QUERY, /PermissionDenied/);
    assert.match(await cell('%oam'), /everyday access, and no role/);
    assert.equal(await cell('print(os.getpid())'), pid, 'the kernel was started again');
    recorded.pop();
  });
});
