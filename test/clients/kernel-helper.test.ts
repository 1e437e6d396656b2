import assert from 'node:assert/strict';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Cleanup } from '../../demo/stage/cleanup.ts';
import { ROOT, temporaryFolder } from '../../demo/stage/folders.ts';
import { installPython, type PythonEnvironment } from '../../demo/stage/python.ts';
import { orSkip } from '../reporting/skip.ts';
import { KernelDriver } from './kernel-driver.ts';

const MINUTE_MS = 60_000;

/** In the life of one kernel, whose helper reads a file that the test writes. */
describe('the helper in a notebook', () => {
  const everything = new Cleanup();
  let driver: KernelDriver;
  let file: string;

  before(async function () {
    this.timeout(600_000);
    const packages = { name: 'what runs notebooks', file: join(ROOT, 'test/clients/notebooks.txt') };
    const python: PythonEnvironment = await orSkip(this, () => installPython(console.log, { packages }));
    const folder = await everything.start(
      () => temporaryFolder('helper'),
      (made) => made.remove(),
    );
    file = join(folder.path, 'access.json');
    const helper = join(ROOT, 'src/cli/kernel/oam_access.py');
    await mkdir(join(folder.path, 'kernels/helped'), { recursive: true });
    await writeFile(
      join(folder.path, 'kernels/helped/kernel.json'),
      JSON.stringify({
        argv: [python.python, helper, '-f', '{connection_file}'],
        ...{ display_name: 'Helped', language: 'python', interrupt_mode: 'message' },
        env: { OAM_ACCESS_FILE: file, PYTHONDONTWRITEBYTECODE: '1' },
      }),
    );
    const env = { ...process.env, JUPYTER_DATA_DIR: folder.path };
    driver = await everything.start(
      () => KernelDriver.start({ python, kernelName: 'helped', env, cwd: folder.path, person: undefined }),
      (started) => started.close(),
    );
  });
  after(() => everything.run());

  interface Held {
    readonly id: string;
    readonly role: string;
    readonly minutesLeft: number;
    readonly minutes?: number;
  }

  async function write(change: Record<string, unknown>, held: readonly Held[] | null): Promise<void> {
    const content = {
      writtenAt: new Date().toISOString(),
      ...{
        workspace: 'https://ml-prod.example',
        role: null,
        person: 'ana@example.com',
        refusal: null,
        said: [],
      },
      held: held?.map(({ id, role, minutesLeft, minutes = 60 }) => ({
        ...{ id, grant: `grant-${id}`, role, roleId: role, minutes },
        endsAt: new Date(Math.floor(Date.now() / 60_000) * 60_000 + minutesLeft * MINUTE_MS).toISOString(),
      })),
      ...change,
    };
    await writeFile(`${file}.next`, JSON.stringify({ ...content, held: content.held ?? null }));
    await rename(`${file}.next`, file);
  }

  const cell = async (code = 'pass'): Promise<string> => (await driver.run(code)).printed;

  it('says nothing where oam says nothing, or nothing that can be believed', async () => {
    assert.equal(await cell(), '');
    await writeFile(file, '{"writtenAt": ');
    assert.equal(await cell(), '');
    await writeFile(file, '[]');
    assert.equal(await cell(), '');
    await write({ writtenAt: new Date(Date.now() - 3 * MINUTE_MS).toISOString() }, [
      { id: 'g', role: 'Query', minutesLeft: 3 },
    ]);
    assert.equal(await cell(), '');
    assert.match(await cell('%oam'), /does not look after this kernel/);
  });

  it('shows who is signed in, what is held and how long it lasts', async () => {
    await write({}, [{ id: 'a', role: 'Query the ranker', minutesLeft: 93 }]);
    assert.match(
      await cell('%oam'),
      /^OAM: ana@example\.com in ml-prod\.example\n {2}Query the ranker: 1 h 3[123] min left\n$/,
    );
    const left = await cell(
      'import oam_access\n[(role, rest)] = oam_access.left()\nprint(role, rest.seconds > 5000)',
    );
    assert.equal(left, 'Query the ranker True\n');
  });

  it('warns at 15 and at 5 minutes, once each, with the command, and not of hardly longer windows', async () => {
    const at = (minutesLeft: number): Promise<void> =>
      write({}, [
        { id: 'a', role: 'Query the ranker', minutesLeft },
        { id: 'b', role: 'Short', minutesLeft, minutes: 8 },
      ]);
    await at(17);
    assert.equal(await cell(), '');
    await at(14);
    assert.match(
      await cell(),
      /^OAM: The access ends at \d\d:\d\d: Query the ranker\. Keep it with `oam extend grant-a`\.\n$/,
    );
    assert.equal(await cell(), '');
    await at(4);
    assert.match(await cell(), /^OAM: The access ends at .*Query the ranker/);
    assert.equal(await cell(), '');
  });

  it('warns in the middle of a cell that goes on, below that cell', async () => {
    await write({}, [{ id: 'c', role: 'Promote', minutesLeft: 40 }]);
    await cell();
    const long = driver.begin('import time\nprint("began", flush=True)\ntime.sleep(14)\nprint("done")');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await write({}, [{ id: 'c', role: 'Promote', minutesLeft: 14 }]);
    const { printed } = await long.done;
    const lines = printed.trim().split('\n');
    assert.equal(lines[0], 'began');
    assert.match(lines[1] ?? '', /^OAM: The access ends at .*: Promote\./);
    assert.equal(lines[2], 'done');
  });

  it('says when access has ended, and nothing where it is not known', async () => {
    await write({}, null);
    assert.equal(await cell(), '');
    await write({}, []);
    assert.equal(
      await cell(),
      'OAM: The access has ended: Promote. Ask for it again, in VS Code or with `oam request`.\n',
    );
    assert.equal(await cell(), '');
  });

  it('says why a program got no token, once for each reason, and how to sign in', async () => {
    const refusal = {
      code: 'not_signed_in',
      message: 'You are not signed in.',
      at: new Date().toISOString(),
    };
    await write({ refusal, said: ['To sign in, open https://idp and confirm ABCD'] }, null);
    assert.equal(
      await cell(),
      'OAM: A program got no token. You are not signed in.\nOAM: To sign in, open https://idp and confirm ABCD\n',
    );
    assert.equal(await cell(), '');
    await write({}, []);
    await cell();
    await write({ refusal }, null);
    assert.match(await cell(), /no token/);
  });

  it('is taken away, and loaded again', async () => {
    await write({}, [{ id: 'd', role: 'Query', minutesLeft: 4 }]);
    assert.match(await cell('%unload_ext oam_access'), /ends at/);
    await write({}, []);
    assert.equal(await cell(), '');
    await cell('%load_ext oam_access');
    await write({}, [{ id: 'e', role: 'Query', minutesLeft: 4 }]);
    assert.match(await cell(), /ends at/);
  });
});
