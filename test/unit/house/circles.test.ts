import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { cruise, type IConfiguration } from 'dependency-cruiser';

import configuration from '../../../.dependency-cruiser.json' with { type: 'json' };
import { ROOT } from '../../../demo/stage/folders.ts';

/** Each circle among the imports of these folders, as a line. */
async function circles(baseDir: string, ...places: string[]): Promise<string[]> {
  const { forbidden = [], options } = configuration as IConfiguration;
  const { output } = await cruise(places, {
    ...options,
    baseDir,
    validate: true,
    ruleSet: { forbidden },
  });
  if (typeof output === 'string') throw new TypeError(`Not a result: ${output}`);
  assert.ok(output.summary.totalCruised > 1, 'nothing was read');
  return output.summary.violations.map(({ from, cycle }) =>
    [from, ...(cycle ?? []).map(({ name }) => name)].join(' → '),
  );
}

describe('the house', function () {
  this.timeout(60_000);

  it('has no two files of which each needs the other', async () => {
    assert.deepEqual(await circles(ROOT, 'src', 'test', 'demo', 'build'), []);
  });

  it('counts a circle by types alone', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'circle-'));
    try {
      await writeFile(path.join(folder, 'a.ts'), "import type { B } from './b.ts';\nexport type A = B[];\n");
      await writeFile(
        path.join(folder, 'b.ts'),
        "import type { A } from './a.ts';\nexport type B = A | 1;\n",
      );
      assert.equal((await circles(folder, '.')).length, 1);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
