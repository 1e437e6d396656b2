import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
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
    await assert.rejects(run(file, ['nosuch'], { env: { PATH: process.env['PATH'] } }), { code: 2 });
  });
});
