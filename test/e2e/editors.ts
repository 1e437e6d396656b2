import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { Cleanup } from '../../demo/stage/cleanup.ts';
import { ROOT } from '../../demo/stage/folders.ts';
import type { Stage, StageOptions } from '../../demo/stage/stage.ts';
import { OamWindow, type Credentials } from '../../demo/tour/oamWindow.ts';
import type { PersonalWindow } from '../../demo/stage/windows.ts';
import { type Scene, setScene } from '../../demo/tour/scene.ts';
import { orSkip } from '../reporting/skip.ts';

/** A stage with VS Code windows in a browser. */
export interface Editors {
  readonly stage: Stage;
  /** Opens a person's window, with the folder trusted unless told, and the side bar shown. */
  open(
    name: string,
    o?: {
      trusted?: boolean;
      signedInAs?: Credentials;
      settings?: Readonly<Record<string, unknown>>;
      /** What is set where the person starts VS Code. */
      env?: Readonly<Record<string, string>>;
      language?: { readonly id: string; readonly say: (english: string) => string };
      /** Done to the folder before the window opens. */
      prepare?: (project: string) => Promise<void>;
    },
  ): Promise<OamWindow>;
}

/**
 * For the head of a suite: a scene of its own for its tests, whose windows are closed after each. Where this machine
 * lacks something the suite is skipped aloud.
 */
export function editors(options: StageOptions = {}): () => Editors {
  const cleanup = new Cleanup();
  const opened: OamWindow[] = [];
  const servers: PersonalWindow[] = [];
  let scene: Scene | undefined;

  before(async function () {
    this.timeout(600_000);
    scene = await orSkip(this, () =>
      setScene({ absenceConfirmMs: 500, ...options, cleanup, log: console.log }),
    );
  });
  afterEach(async function () {
    await closeWindows(opened.splice(0), this.currentTest);
    // Without a browser they would go on for hours, and take from the tests to come.
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
  after(() => cleanup.run());

  return () => {
    const { stage, browser, windows } = scene ?? assert.fail('The scene is not set.');
    return {
      stage,
      async open(name, { trusted = true, signedInAs, settings = {}, env = {}, language, prepare } = {}) {
        const server = await windows.open(name, { settings, env });
        servers.push(server);
        await prepare?.(server.project);
        const window = await OamWindow.open(browser, server.url, language);
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
  };
}

/** Leaves a picture of every window where a test failed. */
async function closeWindows(windows: readonly OamWindow[], test: Mocha.Test | undefined): Promise<void> {
  const folder = join(ROOT, '.vscode-test', 'failures');
  for (const [index, window] of windows.entries()) {
    if (test?.state === 'failed') {
      await mkdir(folder, { recursive: true });
      const name = `${test.fullTitle().replace(/\W+/g, '-').slice(0, 100)}-${String(index)}.png`;
      await window.page.screenshot({ path: join(folder, name) }).catch(() => undefined);
      console.log(`           (a picture: .vscode-test/failures/${name})`);
    }
    await window.context.close();
  }
}
