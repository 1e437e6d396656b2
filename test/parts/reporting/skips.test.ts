import assert from 'node:assert/strict';

import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { startProcess } from '../../../demo/stage/processes.ts';
import { freshCheckout } from '../../reporting/fresh-checkout.ts';

describe('npm test on a machine without a Python', function () {
  this.timeout(60_000);

  it('skips aloud what needs one, by name, with the reason, and fails nothing', async () => {
    const checkout = await freshCheckout('demo', 'src', 'package.json', 'test');
    // These are about missing parts themselves, and pass here.
    await rm(join(checkout.path, 'test/e2e/demo/prerequisites.test.ts'));
    const lines: string[] = [];
    const running = startProcess({
      onLine: (line) => lines.push(line),
      name: 'npm test',
      command: process.execPath,
      arguments: ['test/run.ts', 'host', 'e2e', 'clients'],
      cwd: checkout.path,
      env: { ...process.env, PYTHON: '/nowhere/python3', PATH: '/nowhere', CXX: '' },
    });
    try {
      const { code } = await running.ended;
      await running.drained;
      assert.equal(code, 0, running.tail());
      assert.match(lines.at(-1) ?? '', /^0 passed, 0 failed, \d+ skipped$/);
      const skipped = lines.filter((line) => line.startsWith('  SKIPPED  '));
      for (const name of [
        'inside the extension host',
        'access in the editor',
        'npm run demo',
        "Databricks' own Python SDK",
      ]) {
        const line = skipped.find((candidate) => candidate.includes(name));
        assert.match(line ?? `${name} is not named`, /: No .* was found.*: run .*then try again\.$/);
      }
    } finally {
      await running.stop(5_000);
      await checkout.remove();
    }
  });
});
