import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import * as z from 'zod/mini';

import { ROOT } from '../../demo/stage/folders.ts';
import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { startProcess } from '../../demo/stage/processes.ts';
import { PEOPLE } from '../../src/sandbox/identity-provider/index.ts';
import { SEED } from '../../src/sandbox/databricks/index.ts';
import { orSkip } from '../reporting/skip.ts';
import { CommandLine, type Outcome } from './commandLine.ts';
import { KernelDriver } from './kernel-driver.ts';
import { notebookOf } from './notebook-file.ts';
import { clientStage, type ClientStage } from './stage.ts';

/** Little more than a broker hands out at all, so that waiting a token out takes seconds. */
const TOKEN_SECONDS = 12;
const ID_TOKEN_SECONDS = 30;

const ME = 'from databricks.sdk import WorkspaceClient\nprint(WorkspaceClient().current_user.me().user_name)';

/** Asks until it is let in: a kernel does not wait for a sign-in, so the first cells may be refused. */
const ME_AS_SOON_AS_SIGNED_IN = `
import time
from databricks.sdk import WorkspaceClient
give_up = time.monotonic() + 30
while True:
    try:
        workspace = WorkspaceClient()
        print(workspace.current_user.me().user_name)
        break
    except Exception:
        if time.monotonic() > give_up:
            raise
        time.sleep(0.5)
`;

const Spec = z.object({
  argv: z.array(z.string()),
  interrupt_mode: z.literal('message'),
  env: z.record(z.string(), z.string()),
});
const Cells = z.object({
  cells: z.array(
    z.object({
      outputs: z.optional(
        z.array(z.object({ text: z.optional(z.union([z.string(), z.array(z.string())])) })),
      ),
    }),
  ),
});

describe('the kernel that oam kernel install writes', () => {
  let on: ClientStage | undefined;
  let notebooks: PythonEnvironment;
  const drivers: KernelDriver[] = [];
  const there = (): ClientStage => on ?? assert.fail('The stage is not set.');
  const data = (): string => join(there().stage.folder, 'jupyter');
  const as = (person: keyof typeof PEOPLE, python = notebooks): CommandLine =>
    new CommandLine({ stage: there().stage, python, person: PEOPLE[person], cwd: there().project });

  before(async function () {
    on = await clientStage(this, {
      databricksTokenSeconds: TOKEN_SECONDS,
      idTokenSeconds: ID_TOKEN_SECONDS,
      absenceConfirmMs: 500,
    });
    notebooks = await orSkip(this, () => pythonWith('notebooks'));
  });
  afterEach(async () => {
    for (const driver of drivers.splice(0)) await driver.close();
  });
  after(async () => {
    await on?.stage.close();
  });

  function kernelEnvironment(change: Record<string, string> = {}): Record<string, string | undefined> {
    const { stage } = there();
    const inherited = Object.entries(process.env).filter(([key]) => !/^(DATABRICKS_|OAM_|MLFLOW_)/.test(key));
    return {
      ...Object.fromEntries(inherited),
      HOME: stage.folder,
      JUPYTER_DATA_DIR: data(),
      PATH: `${notebooks.bin}:${process.env['PATH'] ?? ''}`,
      ...change,
    };
  }

  function install(words: readonly string[], python = notebooks): Promise<Outcome> {
    return as('ana', python).run(['kernel', 'install', ...words], { JUPYTER_DATA_DIR: data() });
  }

  async function start(name: string, signsIn = true): Promise<KernelDriver> {
    const driver = await KernelDriver.start({
      python: notebooks,
      kernelName: name,
      env: kernelEnvironment(),
      cwd: there().project,
      person: signsIn ? PEOPLE.ana : undefined,
    });
    drivers.push(driver);
    return driver;
  }

  it('starts a program by its path, says where the workspace is, and holds no secret', async () => {
    const { code, output } = await install(['--workspace', 'ml-prod', '--mlflow']);
    assert.equal(code, 0, output);
    const text = await readFile(join(data(), 'kernels/oam/kernel.json'), 'utf8');
    const spec = Spec.parse(JSON.parse(text));
    assert.equal(spec.argv[0], process.execPath);
    assert(spec.argv.includes(there().stage.databricks.workspaces.prod.host));
    assert.equal(spec.env['MLFLOW_TRACKING_URI'], 'databricks');
    assert.doesNotMatch(text, /eyJ|dapi|token/i);
    assert.deepEqual((await readdir(join(data(), 'kernels/oam'))).sort(), ['kernel.json', 'oam_access.py']);
  });

  it('starts at once where nobody is signed in, and says in the notebook how to sign in', async () => {
    const driver = await start('oam', false);
    const refused = await driver.run(ME);
    assert.equal(refused.ok, false);
    assert.match(refused.printed, /OAM: A program got no token\. .*not signed in/i);
    const shown = await driver.run('%oam');
    assert.match(shown.printed, /OAM: nobody yet in 127\.0\.0\.1/);
    assert.match(shown.printed, /To sign in, open \S+ in a browser and confirm the code/);
  });

  it('works past three expiries in one cell, is interrupted, restarted and killed, and leaves nothing', async function () {
    this.timeout(180_000);
    const driver = await start('oam');
    const me = await driver.run(ME_AS_SOON_AS_SIGNED_IN);
    assert.equal(lastLine(me.printed), 'ana.silva@example.com', driver.log);
    const long = await driver.run(`
import hashlib
tokens, until = set(), time.monotonic() + ${String(3 * TOKEN_SECONDS + 4)}
while time.monotonic() < until:
    workspace.current_user.me()
    tokens.add(hashlib.sha256(workspace.config.authenticate()['Authorization'].encode()).hexdigest())
    time.sleep(1)
print(len(tokens) > 3)`);
    assert.deepEqual(long, { ok: true, printed: 'True\n' });

    const stuck = driver.begin('print("began", flush=True)\ntime.sleep(600)');
    await until(() => stuck.printed().includes('began'));
    await driver.interrupt();
    assert.match((await stuck.done).printed, /KeyboardInterrupt/);
    // The interrupt reached the cell and nothing else: the same client goes on.
    assert.deepEqual(await driver.run('print(workspace.current_user.me().user_name)'), {
      ok: true,
      printed: 'ana.silva@example.com\n',
    });

    const before = await kernelProcesses();
    assert.equal(before.length, 2, 'oam and the kernel');
    await driver.restart(false);
    const again = await driver.run(ME_AS_SOON_AS_SIGNED_IN);
    assert.equal(lastLine(again.printed), 'ana.silva@example.com');
    await until(async () => !(await kernelProcesses()).some((pid) => before.includes(pid)));

    // The system kills oam alone, as it does where memory runs out: the kernel goes with it.
    const [oam] = await processesOf('kernel run');
    process.kill(Number(oam), 'SIGKILL');
    await until(async () => (await kernelProcesses()).length === 0);

    await driver.restart(true);
    assert.equal(lastLine((await driver.run(ME_AS_SOON_AS_SIGNED_IN)).printed), 'ana.silva@example.com');
    await driver.shutdown(true);
    await until(async () => (await kernelProcesses()).length === 0);
  });

  it('ends with the Jupyter that started it, also in the middle of a cell', async () => {
    const driver = await start('oam', false);
    const cell = driver.begin('import time\nprint("began", flush=True)\ntime.sleep(600)');
    await until(() => cell.printed().includes('began'));
    assert.equal((await kernelProcesses()).length, 2, 'oam and the kernel');
    await driver.kill();
    await until(async () => (await kernelProcesses()).length === 0);
  });

  it('runs notebooks under nbclient and papermill, by the pointer of oam exec where there is one', async () => {
    const host = there().stage.databricks.workspaces.prod.host;
    await writeFile(
      join(there().project, 'in.ipynb'),
      notebookOf([ME, 'import os; print(os.environ["DATABRICKS_HOST"])']),
    );
    for (const command of [
      [join(notebooks.bin, 'jupyter'), 'execute', '--kernel_name=oam', '--output=out', 'in.ipynb'],
      [join(notebooks.bin, 'papermill'), '--kernel', 'oam', '--no-progress-bar', 'in.ipynb', 'out.ipynb'],
    ]) {
      const { code, output } = await as('ana').run(['exec', '--workspace', 'ml-prod', '--', ...command], {
        JUPYTER_DATA_DIR: data(),
      });
      assert.equal(code, 0, output);
      const printed = await printedIn('out.ipynb');
      assert.equal(printed[0], 'ana.silva@example.com\n');
      assert.equal(printed[1], `${host}\n`);
    }
    // And by itself: nobody started Jupyter under OAM.
    await writeFile(join(there().project, 'in.ipynb'), notebookOf([ME_AS_SOON_AS_SIGNED_IN]));
    const running = startProcess({
      name: 'papermill',
      command: join(notebooks.bin, 'papermill'),
      arguments: ['--kernel', 'oam', '--no-progress-bar', 'in.ipynb', 'alone.ipynb'],
      cwd: there().project,
      env: kernelEnvironment(),
    });
    there().stage.cleanup.add(() => running.stop());
    as('ana').confirms(running);
    const { code } = await running.ended;
    assert.equal(code, 0, running.tail());
    assert.match((await printedIn('alone.ipynb')).join(''), /ana\.silva@example\.com/);
  });

  it('works as a role that acts as somebody else once it is held, and refuses with the reason until then', async function () {
    this.timeout(180_000);
    const { code, output } = await install(['--name', 'oam-deployer', '--role', 'recsys-deployer']);
    assert.equal(code, 0, output);
    const driver = await start('oam-deployer');
    await until(async () => (await driver.run(ME)).printed.includes('do not hold the role'));
    const asked = as('ana').start([
      ...['request', 'recsys-deployer', '--purpose', 'Deploy the new ranker', '--for', '30m', '--wait'],
    ]);
    const [, request = ''] = await asked.waitForLine(/\(request ([^)]+)\)|request (\S+)/, 30_000);
    assert.equal((await as('lena').run(['approve', request])).code, 0);
    assert.equal((await asked.ended).code, 0, asked.tail());
    const service = SEED.servicePrincipals.recsysDeployer.applicationId;
    await until(async () => (await driver.run(ME)).printed.includes(service));
    assert.equal(
      (
        await as('ana').run(['kernel', 'install', '--name', 'x', '--role', 'recsys-endpoint-query'], {
          JUPYTER_DATA_DIR: data(),
        })
      ).code,
      2,
    );
  });

  for (const [which, file] of [
    ['that knows pointers', 'notebooks'],
    ['of before', 'old-mlflow'],
  ] as const) {
    it(`lets an MLflow ${which} read experiments, past an expiry`, async function () {
      this.timeout(180_000);
      const python = await orSkip(this, () => pythonWith(file));
      const installed = await install([
        '--name',
        'oam-mlflow',
        '--workspace',
        'ml-prod',
        '--mlflow',
        '--python',
        python.python,
      ]);
      assert.equal(installed.code, 0, installed.output);
      const driver = await start('oam-mlflow');
      await driver.run(ME_AS_SOON_AS_SIGNED_IN);
      const search = 'import mlflow; print(len(mlflow.search_experiments()) > 0)';
      const first = await driver.run(search);
      assert.equal(first.ok, true, first.printed);
      // What libraries warn of comes in between, before it or behind it.
      assert.match(first.printed, /^True$/m);
      await delay(TOKEN_SECONDS * 1000);
      assert.match((await driver.run(search)).printed, /^True$/m);
    });
  }

  it('is removed by its name, and what is not ours is left alone', async () => {
    await writeFile(join(data(), 'kernels/oam/mine.txt'), 'mine');
    const run = (...words: string[]): Promise<Outcome> =>
      as('ana').run(['kernel', ...words], { JUPYTER_DATA_DIR: data() });
    assert.equal((await uninstall('oam')).code, 0);
    assert.deepEqual(await readdir(join(data(), 'kernels/oam')), ['mine.txt']);
    assert.match((await uninstall('oam')).output, /no kernel of OAM/);
    assert.match((await run('install', '--workspace', 'ml-prod')).output, /another kernel of this name/);
    assert.match((await uninstall('../../etc')).output, /A kernel's name has letters/);
  });

  const uninstall = async (name: string): Promise<Outcome> => {
    const running = startProcess({
      name: 'oam kernel uninstall',
      command: process.execPath,
      arguments: [join(ROOT, 'src/cli/main.ts'), 'kernel', 'uninstall', '--name', name],
      env: kernelEnvironment(),
    });
    const { code } = await running.ended;
    await running.drained;
    return { code, output: running.tail() };
  };

  /** The processes of this test's kernels: `oam` and Python. */
  const kernelProcesses = (): Promise<string[]> => processesOf('oam_access.py');

  async function processesOf(words: string): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found: string[] = [];
    for (const pid of pids) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const isOurs = line.includes(join(data(), 'kernels'));
      if (isOurs && line.replaceAll('\0', ' ').includes(words)) found.push(pid);
    }
    return found;
  }

  async function printedIn(file: string): Promise<string[]> {
    const { cells } = Cells.parse(JSON.parse(await readFile(join(there().project, file), 'utf8')));
    return cells.map(({ outputs }) => (outputs ?? []).flatMap(({ text }) => text ?? []).join(''));
  }
});

function pythonWith(file: string): Promise<PythonEnvironment> {
  const packages = { name: `what notebooks need (${file})`, file: join(ROOT, `test/clients/${file}.txt`) };
  return installPython(console.log, { packages });
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = Date.now() + 60_000;
  while (!(await look())) {
    if (Date.now() > giveUpAtMs) throw new Error(`This did not become so: ${look.toString()}`);
    await delay(200);
  }
}
