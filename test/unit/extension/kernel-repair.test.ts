import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { silentLogger } from '../../../src/domain/logger.ts';
import { Changes } from '../../../src/extension/changes.ts';
import { kernelCode, kernelWish, readOutcome } from '../../../src/extension/kernels/kernel-code.ts';
import { NO_TOKEN } from '../../../src/extension/injection/mlflow-tracking.ts';
import { KernelRepair, type NotebookKernel } from '../../../src/extension/kernels/kernel-repair.ts';
import type { FolderEnvironment } from '../../../src/extension/injection/pointer-target.ts';
import { skipAloud } from '../../reporting/skip.ts';

const pointerAt = (path: string): FolderEnvironment => ({
  DATABRICKS_HOST: 'https://prod.cloud.databricks.com',
  DATABRICKS_AUTH_TYPE: 'metadata-service',
  DATABRICKS_METADATA_SERVICE_URL: `http://127.0.0.1:4000/${path}`,
});
const FOLDER = { uri: 'file:///one', name: 'one' };

class FakeKernel implements NotebookKernel {
  language = 'python';
  status = 'idle';
  readonly ran: string[] = [];
  says: () => Promise<string> = () => Promise.resolve('oam-pointer:set');
  readonly #changes = new Changes<string>();
  readonly onDidChangeStatus = this.#changes.on;

  run(code: string): Promise<string> {
    this.ran.push(code);
    return this.says();
  }

  become(...statuses: string[]): void {
    for (const status of statuses) {
      this.status = status;
      this.#changes.fire(status);
    }
  }
}

class World {
  kernel: FakeKernel | undefined = new FakeKernel();
  pointer: FolderEnvironment | undefined;
  atStart: FolderEnvironment | undefined;
  agreed = false;
  may = true;
  asked = 0;
  isLeft = false;
  laid = new Map<string, string>();
  left: string[] = [];
  told: string[] = [];
  readonly repair = new KernelRepair({
    notebooks: () => [{ uri: 'file:///one/a.ipynb', folder: FOLDER }],
    kernelOf: () => Promise.resolve(this.kernel),
    environment: () => this.pointer,
    kernelPointer: () => this.atStart,
    isLeft: () => this.isLeft,
    isAgreed: () => this.agreed,
    mayChange: () => {
      this.asked += 1;
      return this.may;
    },
    lay: (text) => {
      const file = `/tmp/${this.laid.size}`;
      this.laid.set(file, text);
      return Promise.resolve({ file, remove: () => Promise.resolve(void this.left.push(file)) });
    },
    tell: (_folder, outcome) => void this.told.push(outcome),
    logger: silentLogger,
  });

  get runs(): number {
    return this.kernel?.ran.length ?? 0;
  }

  async point(path: string | undefined, atStart = true): Promise<void> {
    this.pointer = path === undefined ? undefined : pointerAt(path);
    this.atStart = atStart ? this.pointer : undefined;
    await this.repair.look();
  }
}

describe('kernels that run', () => {
  it('are left alone where they began with their pointer, and nobody is asked', async () => {
    const world = new World();
    const { kernel } = world;
    world.kernel = undefined;
    await world.point('a');
    world.kernel = kernel;
    await world.repair.look();
    kernel?.become('restarting', 'idle');
    await world.repair.look();
    assert.deepEqual([world.runs, world.asked], [0, 0]);
  });

  it('get the pointer that came after them, once, in a file that goes at once', async () => {
    const world = new World();
    await world.repair.look();
    assert.equal(world.runs, 0);
    await world.point('a');
    await world.repair.look();
    assert.equal(world.runs, 1);
    assert.deepEqual([...world.laid.keys()], world.left);
    assert(!world.kernel?.ran[0]?.includes('127.0.0.1'));
    assert.deepEqual(world.told, ['set']);
    // It begins with it from now on.
    world.kernel?.become('restarting', 'busy', 'idle');
    await world.repair.look();
    assert.equal(world.runs, 1);
  });

  it('get it after every restart where the folders disagree, or another extension may hold the old one', async () => {
    const world = new World();
    await world.point('a', false);
    world.kernel?.become('restarting', 'idle');
    await world.repair.look();
    assert.equal(world.runs, 2);
    const moved = new World();
    await moved.point('a');
    await moved.point('b');
    assert.equal(moved.runs, 2);
    assert.match([...moved.laid.values()][1] ?? '', /"ours":\["http:\/\/127\.0\.0\.1:4000\/a"/);
    moved.kernel?.become('restarting', 'idle');
    await moved.repair.look();
    assert.equal(moved.runs, 3);
  });

  it('get the helper with their pointer or after it, and after each restart, where the person agreed', async () => {
    const world = new World();
    const { kernel } = world;
    world.kernel = undefined;
    await world.point('a');
    world.kernel = kernel;
    if (kernel) kernel.says = () => Promise.resolve('oam-pointer:same');
    await world.repair.look();
    assert.equal(world.runs, 0);
    world.agreed = true;
    await world.repair.look();
    await world.repair.look();
    assert.equal(world.runs, 1);
    kernel?.become('restarting', 'idle');
    await world.repair.look();
    await world.repair.look();
    assert.deepEqual([world.runs, world.asked], [2, 0]);
    assert(!kernel?.ran[0]?.includes('127.0.0.1'));
  });

  it('are waited for while a cell runs', async () => {
    const world = new World();
    assert(world.kernel);
    world.kernel.status = 'busy';
    await world.point('a', false);
    assert.deepEqual([world.runs, world.asked], [0, 0]);
    world.kernel.become('idle');
    await world.repair.look();
    assert.equal(world.runs, 1);
  });

  it('are not touched without consent, in another language, or where they are left to another extension', async () => {
    const world = new World();
    world.may = false;
    await world.point('a', false);
    assert.deepEqual([world.runs, world.asked], [0, 1]);
    world.may = true;
    world.isLeft = true;
    await world.repair.look();
    world.isLeft = false;
    assert(world.kernel);
    world.kernel.language = 'r';
    await world.repair.look();
    assert.equal(world.runs, 0);
  });

  it('are not tried again and again where that is not allowed, or they sign in by themselves', async () => {
    const world = new World();
    assert(world.kernel);
    world.kernel.says = () => Promise.reject(new Error('not allowed'));
    await world.point('a', false);
    await world.repair.look();
    assert.deepEqual([world.runs, world.told.length], [1, 0]);
    world.kernel.says = () => Promise.resolve('oam-pointer:own');
    await world.point('b', false);
    await world.repair.look();
    assert.equal(world.runs, 2);
    assert.deepEqual(world.told, ['own']);
    assert.deepEqual([...world.laid.keys()], world.left);
  });
});

describe('the code in a kernel', function () {
  // Each case starts a Python of its own.
  this.timeout(60_000);
  const run = promisify(execFile);
  let folder: string;
  let python: string | undefined;
  before(async function () {
    folder = await mkdtemp(join(tmpdir(), 'oam-code-'));
    python = await run('python3', ['-c', 'pass']).then(
      () => 'python3',
      () => undefined,
    );
    if (python === undefined) skipAloud(this, 'there is no python3');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function inKernel(
    env: Record<string, string>,
    beside: Record<string, string> = {},
    variable = 'DATABRICKS_METADATA_SERVICE_URL',
  ): Promise<{ outcome: unknown; url: string }> {
    const file = join(folder, 'wish "quoted" \\ .json');
    const ours = [pointerAt('old').DATABRICKS_METADATA_SERVICE_URL];
    await writeFile(file, kernelWish({ ...pointerAt('new'), ...beside }, ours));
    const code = `${kernelCode(file)}
import os
assert "_oam_point" not in globals()
print(os.environ.get("${variable}"))`;
    const { stdout } = await run(python ?? '', ['-c', code], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
    });
    return { outcome: readOutcome(stdout), url: stdout.trim().split('\n').at(-1) ?? '' };
  }

  it('sets a pointer, in the place of one of ours, and never over what is somebody else’s', async () => {
    const { DATABRICKS_METADATA_SERVICE_URL: now } = pointerAt('new');
    assert.deepEqual(await inKernel({}), { outcome: 'set', url: now });
    assert.deepEqual(await inKernel({ ...pointerAt('old') }), { outcome: 'set', url: now });
    assert.deepEqual(await inKernel({ ...pointerAt('new') }), { outcome: 'same', url: now });
    const { DATABRICKS_METADATA_SERVICE_URL: foreign } = pointerAt('foreign');
    assert.deepEqual(await inKernel({ ...pointerAt('foreign') }), { outcome: 'own', url: foreign });
    assert.deepEqual(await inKernel({ DATABRICKS_TOKEN: 'dapi1' }), { outcome: 'own', url: 'None' });
    assert.deepEqual(await inKernel({ DATABRICKS_HOST: 'https://mine' }), { outcome: 'own', url: 'None' });
    assert.equal((await inKernel({ DATABRICKS_CLUSTER_ID: '1' })).outcome, 'set');
  });

  it('sets what goes with the pointer, but not over the person’s own, and its own words are nobody’s sign-in', async () => {
    const after = async (env: Record<string, string>, beside: Record<string, string>): Promise<unknown[]> => {
      const [name = ''] = Object.keys(beside);
      const { outcome, url } = await inKernel(env, beside, name);
      return [outcome, url];
    };
    const mlflow = { MLFLOW_TRACKING_URI: 'databricks' };
    assert.deepEqual(await after({}, mlflow), ['set', 'databricks']);
    assert.deepEqual(await after({ ...pointerAt('new') }, mlflow), ['same', 'databricks']);
    assert.deepEqual(await after({ MLFLOW_TRACKING_URI: 'http://mine' }, mlflow), ['set', 'http://mine']);
    assert.deepEqual(await after({ DATABRICKS_TOKEN: 'dapi1' }, mlflow), ['own', 'None']);
    assert.equal((await inKernel({ ...pointerAt('old'), DATABRICKS_TOKEN: NO_TOKEN })).outcome, 'set');
    assert.deepEqual(await after({ OAM_ACCESS_FILE: '/old' }, { OAM_ACCESS_FILE: '/new' }), ['set', '/new']);
    // A helper that is not there, or that fails, takes nothing from the kernel.
    assert.deepEqual(await after({}, { OAM_NOTEBOOK: '/not-here' }), ['set', '/not-here']);
  });

  it('knows that it runs elsewhere', async () => {
    const { stdout } = await run(python ?? '', ['-c', kernelCode(join(folder, 'not-here'))]);
    assert.equal(readOutcome(stdout), 'elsewhere');
    assert.equal(readOutcome('oam-pointer:nonsense'), undefined);
    assert.equal(readOutcome(''), undefined);
  });
});
