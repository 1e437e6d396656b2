import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { installedPrograms } from '../../../../../src/control-plane/store/embedded/programs.ts';
import { skipAloud } from '../../../../reporting/skip.ts';
import { dataFolderForEach, kill, PROGRAM } from './data-folder.ts';

const NOBODY = 65_534;

describe('the embedded database, started by root', function () {
  this.timeout(60_000);

  before(async function () {
    if (process.getuid?.() !== 0) skipAloud(this, 'only root can start a program as somebody else');
    const probe = spawn(process.execPath, ['--check', PROGRAM], {
      ...{ uid: NOBODY, gid: NOBODY },
      stdio: 'ignore',
    });
    const [code] = (await once(probe, 'exit')) as [number | null];
    if (code !== 0) skipAloud(this, 'other accounts may not read the sources here');
  });

  const dataFolder = dataFolderForEach();

  it('works for an ordinary user too', async () => {
    await chown(dataFolder.path, NOBODY, NOBODY);
    const { said, log } = await dataFolder.run([dataFolder.path], { uid: NOBODY });
    assert.equal(said.opened, true, log());
    assert.match(log(), /as ourselves/);
  });

  it('goes on as root with data that an ordinary user made', async () => {
    await chown(dataFolder.path, NOBODY, NOBODY);
    const first = await dataFolder.run([dataFolder.path], { uid: NOBODY });
    assert.equal(first.said.opened, true, first.log());
    await kill(first.child, 'SIGTERM');
    const second = await dataFolder.run([dataFolder.path]);
    assert.equal(second.said.opened, true, second.log());
    assert.match(second.log(), /as another account/);
  });

  it("refuses an ordinary user another account's data", async () => {
    await (await dataFolder.open()).close();
    await chmod(dataFolder.path, 0o755);
    const { said } = await dataFolder.run([dataFolder.path], { uid: NOBODY });
    assert.deepEqual([said.opened, said.code], [false, 'data_folder_not_ours']);
  });

  it('works without user namespaces, and with programs that only root can read', async () => {
    const hidden = join(dataFolder.path, 'hidden');
    await mkdir(hidden, { mode: 0o700 });
    await cp(await installedPrograms(), join(hidden, 'native'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await chmod(dataFolder.path, 0o755);
    const data = join(dataFolder.path, 'data');
    // With nothing on the path there is no `unshare` to be had.
    const { said, log } = await dataFolder.run([data, join(hidden, 'native')], {
      env: { PATH: dirname(process.execPath) },
    });
    assert.equal(said.opened, true, log());
    assert.match(log(), /as another account/);
    assert.notEqual((await stat(join(data, 'database', 'data'))).uid, 0);
  });

  it('keeps its data where only root may go', async () => {
    await chmod(dataFolder.path, 0o700);
    const { said, log } = await dataFolder.run([join(dataFolder.path, 'data')]);
    assert.equal(said.opened, true, log());
  });
});
