import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';

import { skipAloud } from '../../reporting/skip.ts';

describe('the answer of oam', function () {
  this.timeout(30_000);

  it('is no success where it could not be written: a script would take nothing for the answer', async function () {
    if (!existsSync('/dev/full')) skipAloud(this, 'there is no /dev/full');
    await using full = await open('/dev/full', 'w');
    const oam = spawn(process.execPath, ['src/cli/main.ts', '--version'], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', full.fd, 'pipe'],
    });
    let said = '';
    oam.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(oam, 'close')) as [number | null];
    assert.equal(code, 1);
    assert.match(said, /^oam: The answer could not be written: ENOSPC/m);
  });

  it('is one where whoever reads has read enough', async () => {
    const oam = spawn(process.execPath, ['src/cli/main.ts', '--help'], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    oam.stdout.destroy();
    let said = '';
    oam.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(oam, 'close')) as [number | null];
    assert.equal(code, 0);
    assert.equal(said, '');
  });
});
