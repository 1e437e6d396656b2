import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { sql } from 'kysely';
import * as z from 'zod/mini';

import { startMark } from '../../../../src/control-plane/store/embedded/processes.ts';
import { installedPrograms } from '../../../../src/control-plane/store/embedded/programs.ts';
import { openStore } from '../../../../src/control-plane/store/store.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';

const PROGRAM = fileURLToPath(new URL('./open-store.ts', import.meta.url));

const NOBODY = 65_534;

const isRoot = process.getuid?.() === 0;

const FirstLine = z.object({
  opened: z.boolean(),
  code: z.optional(z.string()),
  message: z.optional(z.string()),
});

interface Running {
  readonly child: ChildProcess;
  readonly said: z.infer<typeof FirstLine>;
  readonly log: () => string;
}

describe('the embedded database', function () {
  this.timeout(60_000);
  let made: string;
  let folder: string;
  let children: ChildProcess[];

  // Making a database takes most of the time. Tests that are not about the making start from a copy of this one.
  before(async () => {
    made = await mkdtemp(join(tmpdir(), 'oam-embedded-'));
    await (await openHere(made)).close();
  });

  after(() => rm(made, { recursive: true, force: true }));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oam-embedded-'));
    children = [];
  });

  const startFromMade = () => cp(join(made, 'database'), join(folder, 'database'), { recursive: true });

  afterEach(async () => {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
    }
    // A test that kills a control plane leaves its server running; opening once more ends it.
    const pid = await postmasterPid(folder);
    if (pid !== undefined && (await startMark(pid)) !== undefined) process.kill(pid, 'SIGINT');
    await until(
      'the server has ended',
      async () => pid === undefined || (await startMark(pid)) === undefined,
    );
    await rm(folder, { recursive: true, force: true });
  });

  const launch = (
    args: readonly string[],
    options: { uid?: number; env?: Record<string, string> } = {},
  ): { child: ChildProcess; log: () => string } => {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
    });
    children.push(child);
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
    return { child, log: () => log };
  };

  const run = async (
    args: readonly string[],
    options: { uid?: number; env?: Record<string, string> } = {},
  ): Promise<Running> => {
    const { child, log } = launch(args, options);
    assert.ok(child.stdout);
    for await (const line of createInterface(child.stdout)) {
      return { child, said: FirstLine.parse(JSON.parse(line)), log };
    }
    throw new Error(`The process said nothing. ${log()}`);
  };

  const kill = async (child: ChildProcess, name: NodeJS.Signals): Promise<void> => {
    const ended = once(child, 'exit');
    child.kill(name);
    await ended;
  };

  const openHere = (dataFolder = folder) => openStore({ dataFolder, logger: silentLogger });

  it('keeps its data over a full restart, behind a password and no TCP', async () => {
    await startFromMade();
    const first = await openHere();
    await sql`create table oam.kept (n integer)`.execute(first.db);
    await sql`insert into oam.kept values (42)`.execute(first.db);
    const { rows: listening } = await sql<{ listen_addresses: string; fsync: string }>`
      select current_setting('listen_addresses') as listen_addresses, current_setting('fsync') as fsync`.execute(
      first.db,
    );
    assert.deepEqual(listening, [{ listen_addresses: '', fsync: 'on' }]);
    const { rows: rules } = await sql<{ auth_method: string }>`
      select distinct auth_method from pg_hba_file_rules`.execute(first.db);
    assert.deepEqual(rules, [{ auth_method: 'scram-sha-256' }]);
    assert.equal((await stat(join(folder, 'database', 'password'))).mode & 0o777, 0o600);
    assert.equal((await stat(join(folder, 'socket'))).mode & 0o777, 0o700);
    const pid = await postmasterPid(folder);
    assert.ok(pid);
    await first.close();
    assert.equal(await startMark(pid), undefined);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('holder')),
      [],
    );

    const second = await openHere();
    const { rows } = await sql<{ n: number }>`select n from oam.kept`.execute(second.db);
    assert.deepEqual(rows, [{ n: 42 }]);
    await second.close();
  });

  it("does not hand our environment's secrets to the server", async function () {
    await startFromMade();
    if (process.platform !== 'linux') this.skip();
    const { said } = await run([folder], { env: { OAM_KEY: 'a-secret-of-ours' } });
    assert.equal(said.opened, true);
    const environ = await readFile(`/proc/${await postmasterPid(folder)}/environ`, 'utf8');
    assert.match(environ, /TZ=UTC/);
    assert.doesNotMatch(environ, /a-secret-of-ours/);
  });

  it('refuses a second live control plane on the folder, from this process and from another', async () => {
    await startFromMade();
    const { said } = await run([folder]);
    assert.equal(said.opened, true);
    const refusal = (error: unknown): boolean =>
      hasCode(error, 'data_folder_in_use') &&
      error.message.includes('Another OAM control plane runs on this data folder. Stop it');
    await assert.rejects(openHere(), refusal);
    const other = await run([folder]);
    assert.deepEqual([other.said.opened, other.said.code], [false, 'data_folder_in_use']);
    // The refused ones have done the first no harm.
    assert.ok(await startMark((await postmasterPid(folder)) ?? 0));
  });

  it('lets exactly one of many win that start at the same moment', async () => {
    await startFromMade();
    const answers = await Promise.all(Array.from({ length: 8 }, () => run([folder])));
    assert.equal(answers.filter(({ said }) => said.opened).length, 1);
    for (const { said } of answers.filter(({ said }) => !said.opened)) {
      assert.equal(said.code, 'data_folder_in_use');
    }
  });

  it('finds the server of a control plane that was killed, stops it, and loses nothing', async () => {
    await startFromMade();
    const { child } = await run([folder]);
    const orphan = await postmasterPid(folder);
    assert.ok(orphan);
    await kill(child, 'SIGKILL');
    assert.ok(await startMark(orphan), 'the server outlives us');

    const store = await openHere();
    assert.equal(await startMark(orphan), undefined);
    assert.equal((await store.db.selectFrom('clock').selectAll().execute()).length, 1);
    await store.close();
  });

  it('survives being killed at any moment of a start', async () => {
    // The delays are spread over the start; whichever moment they hit, the next start must work.
    for (const afterMs of [250, 350, 450, 550, 700, 850, 1_000]) {
      const { child } = launch([folder]);
      await pause(afterMs);
      if (child.exitCode === null) await kill(child, 'SIGKILL');
    }
    const store = await openHere();
    assert.equal((await store.db.selectFrom('clock').selectAll().execute()).length, 1);
    await store.close();
  });

  it('clears away a half-made database and makes a whole one', async () => {
    const { child } = launch([folder]);
    const draft = async (): Promise<string | undefined> =>
      (await readdir(folder)).find((name) => name.startsWith('database.draft-'));
    await until('initdb works', async () => {
      const name = await draft();
      if (name === undefined) return false;
      // The folder for the data comes a moment after the draft's own.
      const data = await readdir(join(folder, name, 'data')).catch(() => []);
      return data.length > 0;
    });
    await kill(child, 'SIGKILL');
    assert.ok(await draft(), 'the kill came while it was being made');

    const store = await openHere();
    await store.close();
    await until('no draft is left', async () => {
      if ((await draft()) === undefined) return true;
      await (await openHere()).close();
      return false;
    });
  });

  it('is not fooled by files that a machine that lost its power left behind', async () => {
    await startFromMade();
    // A pid that runs now, but as another process than the one that wrote it; and one that is no longer ours in shape.
    await writeFile(
      join(folder, 'holder.3'),
      JSON.stringify({ pid: process.pid, started: 'another boot/1' }),
    );
    await writeFile(
      join(folder, 'database', 'data', 'postmaster.pid'),
      `${process.pid}\n${join(folder, 'database', 'data')}\n1\n5432\n${join(folder, 'socket')}\n\n1 1\nready\n`,
    );
    const store = await openHere();
    await store.close();
    await writeFile(join(folder, 'holder.7'), 'not JSON');
    await (await openHere()).close();
  });

  it('starts the server again when it is killed under it', async () => {
    await startFromMade();
    const store = await openHere();
    const pid = await postmasterPid(folder);
    assert.ok(pid);
    process.kill(pid, 'SIGKILL');
    await until('the store answers again', async () => {
      try {
        await sql`select 1`.execute(store.db);
        return (await postmasterPid(folder)) !== pid;
      } catch {
        return false;
      }
    });
    await store.close();
  });

  it('leaves no server behind when its process ends without closing', async () => {
    await startFromMade();
    const { child } = await run([folder]);
    const pid = await postmasterPid(folder);
    assert.ok(pid);
    await kill(child, 'SIGHUP');
    await until('the server has ended', async () => (await startMark(pid)) === undefined);
  });

  it('puts its socket elsewhere when the path of the folder is too long for one', async () => {
    const deep = join(folder, 'a'.repeat(60), 'b'.repeat(60));
    const sockets = async () => (await readdir(tmpdir())).filter((name) => /^oam-[A-Za-z0-9]{6}$/.test(name));
    const before = new Set(await sockets());
    const { child, said } = await run([deep]);
    assert.equal(said.opened, true);
    const mine = (await sockets()).filter((name) => !before.has(name));
    assert.ok(mine.length >= 1);
    await kill(child, 'SIGKILL');
    const store = await openHere(deep);
    await sql`select 1`.execute(store.db);
    await store.close();
    const left = (await sockets()).filter((name) => mine.includes(name));
    assert.ok(left.length < mine.length, 'the killed one’s socket folder is gone');
  });

  it('says what to do when the password of its data is gone', async () => {
    await startFromMade();
    await rm(join(folder, 'database', 'password'));
    await assert.rejects(openHere(), (error) => hasCode(error, 'data_folder_damaged'));
    // A failed start lets the folder go.
    await assert.rejects(openHere(), (error) => hasCode(error, 'data_folder_damaged'));
  });

  it('says so when the folder cannot be made', async () => {
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(openHere(join(folder, 'file', 'data')), (error) =>
      hasCode(error, 'data_folder_not_ours'),
    );
  });

  describe('started by root', () => {
    before(async function () {
      // Without root, or where others may not read the sources, there is nothing of this to see.
      if (!isRoot) this.skip();
      const probe = spawn(process.execPath, ['--check', PROGRAM], {
        uid: NOBODY,
        gid: NOBODY,
        stdio: 'ignore',
      });
      const [code] = (await once(probe, 'exit')) as [number | null];
      if (code !== 0) this.skip();
    });

    it('works for an ordinary user too', async () => {
      await chown(folder, NOBODY, NOBODY);
      const { said, log } = await run([folder], { uid: NOBODY });
      assert.equal(said.opened, true, log());
      assert.match(log(), /as ourselves/);
    });

    it('goes on as root with data that an ordinary user made', async () => {
      await chown(folder, NOBODY, NOBODY);
      const first = await run([folder], { uid: NOBODY });
      assert.equal(first.said.opened, true, first.log());
      await kill(first.child, 'SIGTERM');
      const second = await run([folder]);
      assert.equal(second.said.opened, true, second.log());
      assert.match(second.log(), /as another account/);
    });

    it("refuses an ordinary user another account's data", async () => {
      await (await openHere()).close();
      await chmod(folder, 0o755);
      const { said } = await run([folder], { uid: NOBODY });
      assert.deepEqual([said.opened, said.code], [false, 'data_folder_not_ours']);
    });

    it('works without user namespaces, and with programs that only root can read', async () => {
      const hidden = join(folder, 'hidden');
      await mkdir(hidden, { mode: 0o700 });
      await cp(await installedPrograms(), join(hidden, 'native'), {
        recursive: true,
        verbatimSymlinks: true,
      });
      await chmod(folder, 0o755);
      const data = join(folder, 'data');
      // With nothing on the path there is no `unshare` to be had.
      const { said, log } = await run([data, join(hidden, 'native')], {
        env: { PATH: dirname(process.execPath) },
      });
      assert.equal(said.opened, true, log());
      assert.match(log(), /as another account/);
      assert.notEqual((await stat(join(data, 'database', 'data'))).uid, 0);
    });

    it('keeps its data where only root may go', async () => {
      await chmod(folder, 0o700);
      const { said, log } = await run([join(folder, 'data')]);
      assert.equal(said.opened, true, log());
    });
  });
});

async function postmasterPid(folder: string): Promise<number | undefined> {
  for (const data of [join(folder, 'database', 'data'), join(folder, 'data', 'database', 'data')]) {
    try {
      return Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
    } catch {
      // Not here.
    }
  }
  return undefined;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`It never came to this: ${what}`);
    await pause(5);
  }
}
