import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sql } from 'kysely';

import { startMark } from '../../../../../src/control-plane/store/embedded/processes.ts';
import { hasCode } from '../../../../../src/domain/errors.ts';
import { skipAloud } from '../../../../reporting/skip.ts';
import { dataFolderForEach, kill, postmasterPid, until } from './data-folder.ts';

describe('the embedded database', function () {
  this.timeout(60_000);
  const dataFolder = dataFolderForEach();

  it('keeps its data over a full restart, behind a password and no TCP', async () => {
    await dataFolder.startFromMade();
    const first = await dataFolder.open();
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
    assert.equal((await stat(join(dataFolder.path, 'database', 'password'))).mode & 0o777, 0o600);
    assert.equal((await stat(join(dataFolder.path, 'socket'))).mode & 0o777, 0o700);
    const pid = await postmasterPid(dataFolder.path);
    assert.ok(pid);
    await first.close();
    assert.equal(await startMark(pid), undefined);
    assert.deepEqual(
      (await readdir(dataFolder.path)).filter((name) => name.startsWith('holder')),
      [],
    );

    const second = await dataFolder.open();
    const { rows } = await sql<{ n: number }>`select n from oam.kept`.execute(second.db);
    assert.deepEqual(rows, [{ n: 42 }]);
    await second.close();
  });

  it("does not hand our environment's secrets to the server", async function () {
    if (process.platform !== 'linux') skipAloud(this, 'the environment of a process is read from /proc');
    await dataFolder.startFromMade();
    const { said } = await dataFolder.run([dataFolder.path], { env: { OAM_KEY: 'a-secret-of-ours' } });
    assert.equal(said.opened, true);
    const environ = await readFile(`/proc/${await postmasterPid(dataFolder.path)}/environ`, 'utf8');
    assert.match(environ, /TZ=UTC/);
    assert.doesNotMatch(environ, /a-secret-of-ours/);
  });

  it('starts the server again when it is killed under it', async () => {
    await dataFolder.startFromMade();
    const store = await dataFolder.open();
    const pid = await postmasterPid(dataFolder.path);
    assert.ok(pid);
    process.kill(pid, 'SIGKILL');
    await until('the store answers again', async () => {
      try {
        await sql`select 1`.execute(store.db);
        return (await postmasterPid(dataFolder.path)) !== pid;
      } catch {
        return false;
      }
    });
    await store.close();
  });

  it('leaves no server behind when its process ends without closing', async () => {
    await dataFolder.startFromMade();
    const { child } = await dataFolder.run([dataFolder.path]);
    const pid = await postmasterPid(dataFolder.path);
    assert.ok(pid);
    await kill(child, 'SIGHUP');
    await until('the server has ended', async () => (await startMark(pid)) === undefined);
  });

  it('puts its socket elsewhere when the path of the folder is too long for one', async () => {
    const deep = join(dataFolder.path, 'a'.repeat(60), 'b'.repeat(60));
    const sockets = async () => (await readdir(tmpdir())).filter((name) => /^oam-[A-Za-z0-9]{6}$/.test(name));
    const before = new Set(await sockets());
    const { child, said } = await dataFolder.run([deep]);
    assert.equal(said.opened, true);
    const mine = (await sockets()).filter((name) => !before.has(name));
    assert.ok(mine.length >= 1);
    await kill(child, 'SIGKILL');
    const store = await dataFolder.open(deep);
    await sql`select 1`.execute(store.db);
    await store.close();
    const left = (await sockets()).filter((name) => mine.includes(name));
    assert.ok(left.length < mine.length, 'the killed one’s socket folder is gone');
  });

  it('says what to do when the password of its data is gone', async () => {
    await dataFolder.startFromMade();
    await rm(join(dataFolder.path, 'database', 'password'));
    await assert.rejects(dataFolder.open(), (error) => hasCode(error, 'data_folder_damaged'));
    // A failed start lets the folder go.
    await assert.rejects(dataFolder.open(), (error) => hasCode(error, 'data_folder_damaged'));
  });

  it('says so when the folder cannot be made', async () => {
    await writeFile(join(dataFolder.path, 'file'), '');
    await assert.rejects(dataFolder.open(join(dataFolder.path, 'file', 'data')), (error) =>
      hasCode(error, 'data_folder_not_ours'),
    );
  });
});
