import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { keepTokenFile, removeLeftTokenFiles, tokenFolder } from '../../../src/cli/exec/token-file.ts';
import { hasCode, OamError } from '../../../src/domain/errors.ts';
import { skipAloud } from '../../reporting/skip.ts';

const ANA = { iss: 'https://idp.example', sub: 'ana' };

describe('oam exec --file-oidc: the file', () => {
  let folder = '';
  let parent = '';
  beforeEach(async function () {
    if (process.platform === 'win32') skipAloud(this, 'no file is written on Windows');
    parent = await mkdtemp(join(tmpdir(), 'oam-file-'));
    folder = join(parent, 'token-files');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  /** A session whose sign-ins are `jwt-1`, `jwt-2`, …, each good for an hour. */
  function session(o: { fail?: (call: number) => Error | undefined; sub?: (call: number) => string } = {}) {
    const clock = { now: 1_800_000_000_000, nowMs: () => clock.now };
    const troubles: string[] = [];
    let calls = 0;
    const options = {
      ...{ folder, clock, principal: ANA, everyMs: 2 },
      onTrouble: ({ code }: OamError) => troubles.push(code),
      subjectToken: () => {
        calls += 1;
        const failure = o.fail?.(calls);
        if (failure !== undefined) return Promise.reject(failure);
        const principal = { ...ANA, sub: o.sub?.(calls) ?? ANA.sub };
        return Promise.resolve({ token: `jwt-${calls}`, expiresAtMs: clock.now + 3_600_000, principal });
      },
    };
    return { clock, troubles, options, calls: () => calls };
  }

  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await holds())) await delay(2);
  }

  it('is readable by this user alone, in a folder of theirs, without a line end, and gone afterwards', async () => {
    const { options } = session();
    const file = await keepTokenFile(options);
    assert.equal((await stat(file.path)).mode & 0o777, 0o600);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal(await readFile(file.path, 'utf8'), 'jwt-1');
    assert.equal((await readdir(folder)).length, 1, 'a draft lies about');
    await file[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(folder), []);
  });

  it('has a fresh sign-in from half the life of the former on, also after the machine has slept', async () => {
    const { options, clock, calls } = session();
    await using file = await keepTokenFile(options);
    clock.now += 1_700_000;
    await delay(20);
    assert.equal(calls(), 1);
    clock.now += 8 * 3_600_000;
    await until(async () => (await readFile(file.path, 'utf8')) === 'jwt-2');
    assert.equal((await stat(file.path)).mode & 0o777, 0o600);
    assert.equal(file.expiresAtMs, clock.now + 3_600_000);
  });

  it('goes on with what is there while there is trouble, says it once, and recovers', async () => {
    const down = new OamError('identity_provider_unavailable', 'Down.');
    const { options, clock, troubles } = session({
      fail: (call) => (call > 1 && call < 5 ? down : undefined),
    });
    await using file = await keepTokenFile(options);
    clock.now += 1_800_000;
    for (let step = 0; step < 200 && (await readFile(file.path, 'utf8')) === 'jwt-1'; step += 1) {
      clock.now += 10_000;
      await delay(5);
    }
    assert.equal(await readFile(file.path, 'utf8'), 'jwt-5');
    assert.deepEqual(troubles, ['identity_provider_unavailable']);
  });

  it("never holds somebody else's sign-in: it goes when another one signs in", async () => {
    const { options, clock, troubles } = session({ sub: (call) => (call === 1 ? 'ana' : 'omar') });
    await using file = await keepTokenFile(options);
    clock.now += 1_800_000;
    await until(() => troubles.length > 0);
    assert.deepEqual(troubles, ['principal_changed']);
    await assert.rejects(readFile(file.path));
    const other = session({ sub: () => 'omar' });
    await assert.rejects(keepTokenFile(other.options), (error) => hasCode(error, 'principal_changed'));
    assert.deepEqual(await readdir(folder), []);
  });

  it('goes while the program runs where its person leaves, and no fresh one follows', async () => {
    const { options, clock, calls } = session();
    await using file = await keepTokenFile(options);
    file.end();
    await until(async () => (await readdir(folder)).length === 0);
    clock.now += 8 * 3_600_000;
    await delay(20);
    assert.equal(calls(), 1);
    assert.deepEqual(await readdir(folder), []);
  });

  it('is not written where others could read it, nor where a link leads', async () => {
    const { options } = session();
    await (await keepTokenFile(options))[Symbol.asyncDispose]();
    await chmod(folder, 0o750);
    await assert.rejects(keepTokenFile(options), (error) => hasCode(error, 'token_folder_unsafe'));
    await chmod(folder, 0o700);
    const link = join(parent, 'link');
    await symlink(folder, link);
    await assert.rejects(keepTokenFile({ ...options, folder: link }), (error) =>
      hasCode(error, 'token_folder_unsafe'),
    );
    assert.deepEqual(await readdir(folder), []);
  });

  it('is not written where there is no place for it, which is said with the folder', async () => {
    const { options } = session();
    await writeFile(join(parent, 'a file'), '');
    for (const name of ['a file', 'x'.repeat(300)]) {
      await assert.rejects(
        keepTokenFile({ ...options, folder: join(parent, name, 'token-files') }),
        (error) => {
          assert.ok(hasCode(error, 'token_file_not_written'));
          return error instanceof OamError && error.detail?.includes(name) === true;
        },
      );
    }
  });

  it('is removed at the next start when its program was killed, and left alone while it runs', async () => {
    const script = `
      const { keepTokenFile } = await import(${JSON.stringify(join(import.meta.dirname, '../../../src/cli/exec/token-file.ts'))});
      await keepTokenFile({ folder: process.argv[1], principal: ${JSON.stringify(ANA)}, clock: { nowMs: () => Date.now() },
        onTrouble() {}, subjectToken: async () => ({ token: 'jwt', expiresAtMs: Date.now() + 3600000, principal: ${JSON.stringify(ANA)} }) });
      console.log('written');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const { options } = session();
    await using own = await keepTokenFile(options);
    await writeFile(join(folder, 'notes.txt'), 'not ours');
    await removeLeftTokenFiles(folder);
    assert.equal((await readdir(folder)).length, 3);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal((await readdir(folder)).length, 3);
    await removeLeftTokenFiles(folder);
    assert.deepEqual((await readdir(folder)).sort(), [own.path.slice(folder.length + 1), 'notes.txt'].sort());
  });

  it('is left alone by programs of other machines and containers that share the folder, for as long as it can be of use', async () => {
    const { options } = session();
    await using own = await keepTokenFile(options);
    const name = own.path.slice(folder.length + 1);
    // A process of that number runs here, and began at another time; or none does.
    const elsewhere = ['1', '4194304999'].map((pid) =>
      name.replace(/^\d+-[0-9a-f]{16}-[0-9a-f]{16}/, `${pid}-${'a'.repeat(16)}-${'b'.repeat(16)}`),
    );
    for (const other of elsewhere) await writeFile(join(folder, other), 'jwt');
    await removeLeftTokenFiles(folder);
    assert.deepEqual((await readdir(folder)).sort(), [name, ...elsewhere].sort());
    const dayBefore = new Date(Date.now() - 25 * 3_600_000);
    for (const other of elsewhere) await utimes(join(folder, other), dayBefore, dayBefore);
    await removeLeftTokenFiles(folder);
    assert.deepEqual(await readdir(folder), [name]);
  });

  it('lies in memory where the system offers a place there', () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/7' };
    assert.equal(tokenFolder(env, '/state', false), '/run/user/7/databricks-ml-oam');
    // That one goes when the person logs out of the machine, and a job that is to go on would lose its sign-in.
    assert.equal(tokenFolder(env, '/state', true), '/state/token-files');
    for (const env of [{}, { XDG_RUNTIME_DIR: '' }, { XDG_RUNTIME_DIR: 'relative' }])
      assert.equal(tokenFolder(env, '/state', false), '/state/token-files');
  });
});
