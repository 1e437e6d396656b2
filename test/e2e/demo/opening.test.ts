import assert from 'node:assert/strict';

import { OamWindow } from '../../../demo/tour/oamWindow.ts';
import { launchBrowser } from '../../../demo/stage/browser.ts';
import { installTools } from '../../../demo/stage/tools.ts';
import { orSkip } from '../../reporting/skip.ts';
import { startWatched } from '../../reporting/watched-process.ts';

/** Of the ports that the tests take for a demo: away from its own, which somebody may be using. */
const PORT = 17_654;

describe('npm run demo', () => {
  it('prints where to look and who to be, and opens VS Code with OAM and a notebook there', async function () {
    this.timeout(600_000);
    const running = await orSkip(this, async () => {
      const { installation } = await installTools(console.log);
      return launchBrowser(installation.fonts);
    });
    const demo = await startWatched('demo/main.ts', ['--port', String(PORT)]);
    try {
      const [, url = ''] = await demo.process.waitForLine(/Your editor\s+(http\S+)/, 240_000);
      await demo.process.waitForLine(/Ctrl-C stops everything/, 30_000);
      assert.match(demo.process.tail(), /ana\.silva@example\.com\s+\S+/);
      // Nobody gets in without the token.
      assert.equal((await fetch(new URL(url).origin)).status, 403);

      const ana = await OamWindow.open(running.browser, url);
      const { page, workbench } = ana;
      await page.getByRole('tab', { name: 'notebook.ipynb', selected: true }).waitFor();
      await workbench.notebook('WorkspaceClient()').waitFor();
      await workbench.trustFolder();
      await page.getByRole('tab', { name: 'notebook.ipynb', selected: true }).waitFor();
      await ana.showSideBar();
      await ana.access.getByRole('button', { name: 'Sign In' }).waitFor();
    } finally {
      await running.close();
      await demo.close();
    }
  });
});
