import type { Browser } from 'playwright-core';

import { launchBrowser } from '../stage/browser.ts';
import type { Cleanup } from '../stage/cleanup.ts';
import { startStage, type Stage, type StageOptions } from '../stage/stage.ts';
import { installTools } from '../stage/tools.ts';
import { windowMaker, type WindowMaker } from '../stage/windows.ts';

/** A stage with VS Code windows for it, and a headless browser to look at them. */
export interface Scene {
  readonly stage: Stage;
  readonly windows: WindowMaker;
  readonly browser: Browser;
}

/**
 * Sets the scene.
 *
 * @throws MissingPrerequisite where this machine lacks something.
 */
export async function setScene(
  o: StageOptions & { readonly cleanup: Cleanup; readonly log: (line: string) => void },
): Promise<Scene> {
  const { cleanup } = o;
  const tools = await cleanup.start((signal) => installTools(o.log, signal));
  const { browser } = await cleanup.start(
    () => launchBrowser(tools.installation.fonts),
    (launched) => launched.close(),
  );
  const stage = await startStage(o);
  return { stage, windows: await windowMaker(stage, tools), browser };
}
