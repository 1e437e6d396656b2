import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { bundle } from '../../../build/bundle.ts';

const run = promisify(execFile);

describe('the bundle of oam', function () {
  this.timeout(20_000);

  it('is a program of its own, that starts', async () => {
    const file = await bundle('oam');
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    // By its own first line, as npm's link to it does.
    const { stdout } = await run(file, ['--version'], { env: { PATH: process.env['PATH'] } });
    assert.equal(stdout, `${version}\n`);
    // It finds the policy that the package ships.
    const folder = await mkdtemp(join(tmpdir(), 'oam-bundle-'));
    try {
      await run(file, ['policy', 'init', folder]);
      await run(file, ['policy', 'test', folder]);
    } finally {
      await rm(folder, { recursive: true });
    }
    await assert.rejects(run(file, ['nosuch'], { env: { PATH: process.env['PATH'] } }), { code: 2 });
  });
});
