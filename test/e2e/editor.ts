import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Browser } from 'playwright-core';

import { launchBrowser } from '../../demo/stage/browser.ts';
import { installVscode } from '../../demo/stage/codeServer.ts';
import { ROOT } from '../../demo/stage/folders.ts';
import { MissingPrerequisite } from '../../demo/stage/preflight.ts';
import { installPython } from '../../demo/stage/python.ts';
import { startStage, type Stage, type StageOptions } from '../../demo/stage/stage.ts';
import { windowMaker, type WindowMaker } from '../../demo/stage/windows.ts';
import { OamWindow, type Credentials } from '../../demo/tour/oamWindow.ts';
import { skipAloud } from '../reporting/skip.ts';

/** A stage with VS Code windows in a browser. */
export interface Editors {
  readonly stage: Stage;
  /** Opens a person's window, with the folder trusted unless told, and the side bar shown. */
  open(name: string, o?: { trusted?: boolean; signedInAs?: Credentials }): Promise<OamWindow>;
}

/** Sets the stage for a suite; what cannot be had on this machine skips it aloud. */
export async function editors(context: Mocha.Context, options: StageOptions = {}): Promise<Editors> {
  context.timeout(600_000);
  const { installation, python } = await (async () => {
    try {
      return { installation: await installVscode(console.log), python: await installPython(console.log) };
    } catch (error) {
      if (error instanceof MissingPrerequisite) skipAloud(context, error.message);
      throw error;
    }
  })();
  const stage = await startStage({ absenceConfirmMs: 500, ...options });
  let browser: Browser;
  let windows: WindowMaker;
  try {
    windows = await windowMaker({
      stage,
      installation,
      python,
      connectionToken: randomBytes(16).toString('hex'),
    });
    browser = await launchBrowser(installation.fonts);
    stage.cleanup.add(() => browser.close());
  } catch (error) {
    await stage.close();
    throw error;
  }
  return {
    stage,
    async open(name, { trusted = true, signedInAs } = {}) {
      const window = await OamWindow.open(browser, (await windows.open(name)).url);
      opened.push(window);
      if (trusted) await window.workbench.trustFolder();
      await window.showSideBar();
      if (signedInAs !== undefined) {
        await window.signIn(signedInAs);
        await window.line('ml-prod');
      }
      return window;
    },
  };
}

const opened: OamWindow[] = [];

/** For `afterEach`: leaves a picture of every window where a test failed, and closes them. */
export async function closeWindows(test: Mocha.Test | undefined): Promise<void> {
  const folder = join(ROOT, '.vscode-test', 'failures');
  for (const [index, window] of opened.splice(0).entries()) {
    if (test?.state === 'failed') {
      await mkdir(folder, { recursive: true });
      const name = `${test.fullTitle().replace(/\W+/g, '-').slice(0, 100)}-${String(index)}.png`;
      await window.page.screenshot({ path: join(folder, name) }).catch(() => undefined);
      console.log(`           (a picture: .vscode-test/failures/${name})`);
    }
    await window.context.close();
  }
}
