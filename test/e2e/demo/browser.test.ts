import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { launchBrowser } from '../../../demo/stage/browser.ts';
import { installTools } from '../../../demo/stage/tools.ts';
import { orSkip } from '../../reporting/skip.ts';

describe("the demo's browser", () => {
  it('takes with it what a page leaves that is ended in the middle of its work', async function () {
    this.timeout(600_000);
    const running = await orSkip(this, async () =>
      launchBrowser((await installTools(console.log)).installation.fonts),
    );
    let left = '';
    try {
      const session = await running.browser.newBrowserCDPSession();
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      const main = processInfo.find(({ type }) => type === 'browser') ?? assert.fail('no process');
      const environment = await readFile(`/proc/${String(main.id)}/environ`, 'utf8');
      const [, folder = tmpdir()] = /(?:^|\0)TMPDIR=([^\0]+)/.exec(environment) ?? [];
      left = join(folder, '.org.chromium.Chromium.left');
      await writeFile(left, '');
    } finally {
      await running.close();
    }
    assert.equal(existsSync(left), false, `${left} is still there`);
  });
});
