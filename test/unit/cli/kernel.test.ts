import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { AccessBoard } from '../../../src/cli/kernel/access-board.ts';
import { heldRole } from '../../../src/cli/kernel/held-grants.ts';
import { inheritedPointer } from '../../../src/cli/kernel/inherited-pointer.ts';
import { isOurs, kernelFolder, kernelSpec } from '../../../src/cli/kernel/kernel-spec.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { fakeControlPlane, grantView, ok, page } from './fake-control-plane.ts';

const HOST = 'https://ml-prod.cloud.databricks.com';

describe('a kernel.json of ours', () => {
  it('lies where Jupyter looks, whatever the system', () => {
    const env = { HOME: '/home/ana' };
    const at = (platform: NodeJS.Platform, change = {}): string =>
      kernelFolder('OAM', undefined, { ...env, ...change }, platform);
    assert.equal(at('linux'), '/home/ana/.local/share/jupyter/kernels/oam');
    assert.equal(at('linux', { XDG_DATA_HOME: '/data' }), '/data/jupyter/kernels/oam');
    assert.equal(at('linux', { JUPYTER_DATA_DIR: '/own' }), '/own/kernels/oam');
    assert.equal(at('darwin'), '/home/ana/Library/Jupyter/kernels/oam');
    assert.equal(at('win32', { APPDATA: '/roaming' }), '/roaming/jupyter/kernels/oam');
    assert.equal(kernelFolder('oam', '/venv', env, 'linux'), '/venv/share/jupyter/kernels/oam');
  });

  it('has a name that stays in its folder', () => {
    for (const name of ['../oam', 'a/b', '', '.', '..', 'a b', '-x', 'a\0']) {
      assert.throws(
        () => kernelFolder(name, undefined, {}),
        (error) => hasCode(error, 'bad_kernel_name'),
        name,
      );
    }
  });

  it('is known again, and nothing else is', () => {
    const wish = {
      ...{ displayName: 'OAM', oam: ['/node', '/oam'], controlPlaneUrl: 'https://oam', host: HOST, env: {} },
      ...{ roleId: undefined, python: '/python', helper: '/h.py', keychain: true },
    };
    assert(isOurs(JSON.stringify(kernelSpec(wish))));
    for (const text of ['', 'null', '[]', '{"metadata":{}}', '{"argv":["oam"]}']) assert(!isOurs(text), text);
  });
});

describe('what the helper in a kernel may know', () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'oam-board-')), 'kernels');
  });
  afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

  const clock = { nowMs: () => Date.UTC(2027, 0, 15, 12) };
  const board = (): AccessBoard => new AccessBoard(folder, clock, { workspace: HOST, role: null });
  const written = async (file: string): Promise<Record<string, unknown>> =>
    JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;

  it('is one line for each access, with the end of the last extension', async () => {
    const one = board();
    await one.open();
    const first = grantView({ successor: 'g2' });
    const next = grantView({ id: 'g2', chainId: 'g1', extends: 'g1', state: 'scheduled', endsAt: null });
    const failed = grantView({
      id: 'g3',
      chainId: 'g1',
      state: 'failed',
      endsAt: '2028-01-01T00:00:00.000Z',
    });
    one.holds('ana@example.com', [first, next, failed, grantView({ id: 'g9', state: 'revoking' })]);
    one.beat();
    await one.close();
    // What is closed is gone; the last content was whole.
    assert.deepEqual(await readdir(folder), []);
    await one.open();
    const { held, person } = await written(one.file);
    assert.equal(person, 'ana@example.com');
    assert.deepEqual(held, [
      {
        ...{ id: 'g1', grant: 'g1', role: 'Query the ranker', roleId: 'ranker-query', minutes: 30 },
        endsAt: '2027-01-15T13:00:01.000Z',
      },
    ]);
  });

  it('is for this user only, and goes with kernels that were killed', async () => {
    await mkdir(folder, { recursive: true });
    const one = board();
    const here = basename(one.file).slice(String(process.pid).length);
    await writeFile(join(folder, `4194304999${here}`), '{}');
    await writeFile(join(folder, 'rubbish'), '');
    await writeFile(join(folder, `${String(process.ppid)}${here}`), '{}');
    await one.open();
    assert.deepEqual(
      (await readdir(folder)).sort(),
      [`${String(process.pid)}${here}`, `${String(process.ppid)}${here}`].sort(),
    );
    assert.equal((await stat(one.file)).mode & 0o777, 0o600);
    await one.close();
  });

  it('is not that of another container, which shares the folder and counts its processes by itself', async () => {
    await mkdir(folder, { recursive: true });
    const elsewhere = [process.pid, 4194304999].map((pid) => `${String(pid)}-${'a'.repeat(16)}.json`);
    for (const name of elsewhere) await writeFile(join(folder, name), '{}');
    const one = board();
    await one.open();
    const own = basename(one.file);
    assert.deepEqual((await readdir(folder)).sort(), [own, ...elsewhere].sort());
    const dayBefore = new Date(Date.now() - 25 * 3_600_000);
    for (const name of elsewhere) await utimes(join(folder, name), dayBefore, dayBefore);
    await one.open();
    assert.deepEqual(await readdir(folder), [own]);
    await one.close();
  });

  it('forgets a refusal once there is a token', async () => {
    const one = board();
    await one.open();
    one.says('To sign in, open https://idp');
    one.refused({ code: 'not_signed_in', status: 401, sentence: 'Nobody.', detail: 'x' });
    one.beat();
    await one.open();
    const { refusal, said } = await written(one.file);
    assert.deepEqual(refusal, {
      code: 'not_signed_in',
      message: 'Nobody. (x)',
      at: '2027-01-15T12:00:00.000Z',
    });
    assert.deepEqual(said, ['To sign in, open https://idp']);
    one.served();
    await one.open();
    assert.deepEqual((await written(one.file))['refusal'], null);
    await one.close();
  });

  it('forgets what somebody was refused, or nobody, once somebody else is there', async () => {
    const one = board();
    await one.open();
    one.refused({ code: 'not_signed_in', status: 401, sentence: 'Nobody.' });
    one.holds('ana@example.com', []);
    await one.open();
    assert.equal((await written(one.file))['refusal'], null);
    one.refused({ code: 'role_not_held', status: 403, sentence: 'Not held.' });
    one.holds('ana@example.com', []);
    await one.open();
    assert.notEqual((await written(one.file))['refusal'], null);
    await one.close();
  });

  it('costs nobody their kernel where the disk does not take it', async () => {
    await writeFile(join(folder, '..', 'kernels'), 'a file');
    const one = board();
    await one.open();
    one.says('still here');
    one.beat();
    await one.close();
  });
});

describe('the role of a kernel', () => {
  const { role } = grantView();
  const deployer = grantView({ id: 'g9', role: { ...role, id: 'deployer', credential: 'federated' } });
  const held = (...pages: Parameters<typeof fakeControlPlane>[0][string]): Promise<string> =>
    heldRole('deployer', role.workspace.host, fakeControlPlane({ 'GET /grants': pages }).client, undefined);

  it('is found also on a later page of what the person holds', async () => {
    const first = ok({ items: [grantView()], nextCursor: 'c' });
    assert.equal(await held(first, page(deployer)), 'g9');
    await assert.rejects(held(first, page(grantView())), (error) => hasCode(error, 'role_not_held'));
  });

  it('is not held before it is active, nor in another workspace', async () => {
    const workspace = { name: 'ml-dev', host: 'https://ml-dev.cloud.databricks.com' };
    for (const other of [
      grantView({ ...deployer, state: 'provisioning' }),
      grantView({ ...deployer, role: { ...deployer.role, workspace } }),
    ]) {
      await assert.rejects(held(page(other)), (error) => hasCode(error, 'role_not_held'));
    }
  });
});

describe('the pointer that a kernel inherits', () => {
  it('is taken where it answers for the same workspace, on this machine', async () => {
    let status = 200;
    const server = createServer((_request, response) => response.writeHead(status).end('{}'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert(address !== null && typeof address === 'object');
    const url = `http://127.0.0.1:${String(address.port)}/path`;
    const env = {
      DATABRICKS_HOST: HOST,
      DATABRICKS_AUTH_TYPE: 'metadata-service',
      DATABRICKS_METADATA_SERVICE_URL: url,
    };
    try {
      assert.deepEqual(await inheritedPointer(HOST, env), env);
      assert.equal(await inheritedPointer('https://other', env), undefined);
      assert.equal(await inheritedPointer(HOST, { ...env, DATABRICKS_AUTH_TYPE: 'pat' }), undefined);
      const elsewhere = { ...env, DATABRICKS_METADATA_SERVICE_URL: 'http://10.0.0.1:80/x' };
      assert.equal(await inheritedPointer(HOST, elsewhere), undefined);
      status = 410;
      assert.equal(await inheritedPointer(HOST, env), undefined);
    } finally {
      server.close();
      server.closeAllConnections();
    }
    assert.equal(await inheritedPointer(HOST, env), undefined);
  });
});
