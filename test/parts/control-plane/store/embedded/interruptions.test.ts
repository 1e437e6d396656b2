import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { startMark } from '../../../../../src/control-plane/store/embedded/processes.ts';
import { commandsIn } from '../../../../reporting/watched-process.ts';
import { dataFolderForEach, kill, postmasterPid, until } from './data-folder.ts';

describe('the embedded database, interrupted', function () {
  this.timeout(60_000);
  const dataFolder = dataFolderForEach();

  it('finds the server of a control plane that was killed, stops it, and loses nothing', async () => {
    await dataFolder.startFromMade();
    const { child } = await dataFolder.run([dataFolder.path]);
    const orphan = await postmasterPid(dataFolder.path);
    assert.ok(orphan);
    await kill(child, 'SIGKILL');
    assert.ok(await startMark(orphan), 'the server outlives us');

    const store = await dataFolder.open();
    assert.equal(await startMark(orphan), undefined);
    assert.equal((await store.db.selectFrom('clock').selectAll().execute()).length, 1);
    await store.close();
  });

  it('survives being killed at any moment of a start', async () => {
    // The delays are spread over the start; whichever moment they hit, the next start must work.
    for (const afterMs of [250, 350, 450, 550, 700, 850, 1_000]) {
      const { child } = dataFolder.launch([dataFolder.path]);
      await pause(afterMs);
      if (child.exitCode === null) await kill(child, 'SIGKILL');
    }
    const store = await dataFolder.open();
    assert.equal((await store.db.selectFrom('clock').selectAll().execute()).length, 1);
    await store.close();
  });

  it('clears away a half-made database and makes a whole one', async () => {
    const { child } = dataFolder.launch([dataFolder.path]);
    const draft = async (): Promise<string | undefined> =>
      (await readdir(dataFolder.path)).find((name) => name.startsWith('database.draft-'));
    await until('initdb works', async () => {
      const name = await draft();
      if (name === undefined) return false;
      // The folder for the data comes a moment after the draft's own.
      const data = await readdir(join(dataFolder.path, name, 'data')).catch(() => []);
      return data.length > 0;
    });
    await kill(child, 'SIGKILL');
    assert.ok(await draft(), 'the kill came while it was being made');

    const store = await dataFolder.open();
    await store.close();
    await until('no draft is left', async () => {
      if ((await draft()) === undefined) return true;
      await (await dataFolder.open()).close();
      return false;
    });
  });

  for (const [moment, isReached] of [
    ['is made', (names: readonly string[]) => names.some((name) => name.startsWith('database.draft-'))],
    ['is made, and its server begins', (names) => names.includes('postgresql.log')],
  ] satisfies [string, (names: readonly string[]) => boolean][]) {
    it(`leaves nothing running and nothing half-made where its start is called off while it ${moment}`, async () => {
      const calling = new AbortController();
      const opening = dataFolder.open(dataFolder.path, calling.signal);
      await until(moment, async () => isReached(await readdir(dataFolder.path)));
      calling.abort();
      await assert.rejects(opening, { name: 'AbortError' });
      const names = await readdir(dataFolder.path);
      assert.deepEqual(
        names.filter((name) => /^(database\.draft-|holder\.)/.test(name)),
        [],
      );
      assert.deepEqual(programsOn(dataFolder.path), []);
      await (await dataFolder.open()).close();
    });
  }

  it('opens nothing where it was called off before it began', async () => {
    await assert.rejects(dataFolder.open(dataFolder.path, AbortSignal.abort()), { name: 'AbortError' });
    assert.deepEqual(programsOn(dataFolder.path), []);
  });

  it('is not fooled by files that a machine that lost its power left behind', async () => {
    await dataFolder.startFromMade();
    // A pid that runs now, but as another process than the one that wrote it; and one that is no longer ours in shape.
    await writeFile(
      join(dataFolder.path, 'holder.3'),
      JSON.stringify({ pid: process.pid, started: 'another boot/1' }),
    );
    await writeFile(
      join(dataFolder.path, 'database', 'data', 'postmaster.pid'),
      `${process.pid}\n${join(dataFolder.path, 'database', 'data')}\n1\n5432\n${join(dataFolder.path, 'socket')}\n\n1 1\nready\n`,
    );
    const store = await dataFolder.open();
    await store.close();
    await writeFile(join(dataFolder.path, 'holder.7'), 'not JSON');
    await (await dataFolder.open()).close();
  });
});

/** The database's programs that work on the folder. */
function programsOn(folder: string): string[] {
  const commands = commandsIn(folder).map(({ command }) => command);
  return commands.filter((command) => /\b(postgres|initdb)\b/.test(command));
}
