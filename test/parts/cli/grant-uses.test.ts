import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { useGrant } from '../../../src/cli/exec/grant-uses.ts';

const CHAIN = '../97b53efd-a003-492f-b561-4af7fe3e8e40';

describe('oam exec: programs that work under one grant', function () {
  this.timeout(30_000);
  let folder = '';
  let returned = 0;
  beforeEach(async () => {
    returned = 0;
    folder = await mkdtemp(join(tmpdir(), 'oam-uses-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const giveBack = (): Promise<void> => {
    returned += 1;
    return Promise.resolve();
  };

  it('give it back when the last one ends, whichever of them asked', async () => {
    for (const askedFirst of [true, false]) {
      returned = 0;
      const first = await useGrant(folder, CHAIN, askedFirst);
      const second = await useGrant(folder, CHAIN, !askedFirst);
      assert.equal(await first.leave(giveBack), false);
      assert.equal(returned, 0);
      assert.equal(await second.leave(giveBack), true);
      assert.equal(returned, 1);
    }
    assert.deepEqual(await readdir(folder), [], 'something lies about');
  });

  it('leave alone what none of them asked for', async () => {
    const first = await useGrant(folder, CHAIN, false);
    const second = await useGrant(folder, CHAIN, false);
    await first.leave(giveBack);
    await second.leave(giveBack);
    assert.equal(returned, 0);
  });

  it('have nothing to do with those of another grant', async () => {
    const other = await useGrant(folder, 'another', true);
    const mine = await useGrant(folder, CHAIN, true);
    assert.equal(await mine.leave(giveBack), true);
    assert.equal(await other.leave(giveBack), true);
    assert.equal(returned, 2);
  });

  it('never leave it behind, however many end at once', async () => {
    for (let round = 0; round < 20; round += 1) {
      returned = 0;
      const uses = await Promise.all(
        Array.from({ length: 5 }, (_, place) => useGrant(folder, CHAIN, place === 0)),
      );
      await Promise.all(uses.map((use) => use.leave(giveBack)));
      assert.ok(returned > 0);
    }
  });

  it('do not begin with what is given back in that moment', async () => {
    const first = await useGrant(folder, CHAIN, true);
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const events: string[] = [];
    const leaving = first.leave(async () => {
      asked.resolve();
      await gate.promise;
      events.push('given back');
    });
    await asked.promise;
    const begun = useGrant(folder, CHAIN, false).then((use) => {
      events.push('begun');
      return use;
    });
    // It has said that it is there, and sees that somebody leaves.
    while ((await files()).length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    gate.resolve();
    await leaving;
    await (await begun).leave(giveBack);
    assert.deepEqual(events, ['given back', 'begun']);
  });

  async function files(): Promise<string[]> {
    const [chain = ''] = await readdir(folder);
    return readdir(join(folder, chain));
  }

  it('do not wait for one that was killed, and give back what it had asked for', async () => {
    const script = `
      const { useGrant } = await import(${JSON.stringify(join(import.meta.dirname, '../../../src/cli/exec/grant-uses.ts'))});
      await useGrant(process.argv[1], process.argv[2], true);
      console.log('begun');
      setInterval(() => {}, 1000);`;
    const killed = spawn(process.execPath, ['--input-type=module', '-e', script, folder, CHAIN], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(killed.stdout, 'data');
    const other = await useGrant(folder, CHAIN, false);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    assert.equal(await other.leave(giveBack), true);
    assert.equal(returned, 1);
  });

  it('decide each for itself where nothing can be written', async () => {
    const file = join(folder, 'a file');
    await writeFile(file, '');
    const asked = await useGrant(file, CHAIN, true);
    const other = await useGrant(file, CHAIN, false);
    assert.equal(await other.leave(giveBack), true);
    assert.equal(returned, 0);
    assert.equal(await asked.leave(giveBack), true);
    assert.equal(returned, 1);
  });
});
