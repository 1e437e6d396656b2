import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { ROOT } from '../../../demo/stage/folders.ts';
import { installTools } from '../../../demo/stage/tools.ts';
import { orSkip } from '../../reporting/skip.ts';
import { startWatched } from '../../reporting/watched-process.ts';

const StepLine = z.object({ step: z.string(), ok: z.boolean(), ms: z.number(), detail: z.string() });

describe('npm run demo -- --tour', () => {
  it('sees every step to be true, with a picture of each, and leaves nothing running', async function () {
    this.timeout(600_000);
    await orSkip(this, () => installTools(console.log));
    const lines: string[] = [];
    const pictures = join(ROOT, '.demo/tour');
    const demo = await startWatched('demo/main.ts', ['--tour', '--pictures', pictures], {
      onLine: (line) => lines.push(line),
    });
    try {
      const { code } = await demo.process.ended;
      await demo.process.drained;
      const steps = lines
        .filter((line) => line.startsWith('{'))
        .map((line) => StepLine.parse(JSON.parse(line)));
      assert.deepEqual(
        steps.filter((step) => !step.ok),
        [],
      );
      assert.equal(code, 0);
      assert.ok(steps.length >= 14, `only ${String(steps.length)} steps`);
      const names = await readdir(pictures);
      assert.ok(names.filter((name) => /^\d\d-/.test(name)).length >= steps.length);
      assert.deepEqual(demo.others(), []);
      assert.deepEqual(await readdir(demo.temporary), []);
    } finally {
      await demo.close();
    }
  });
});
