import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { ROOT } from '../../demo/stage/folders.ts';
import type { OamWindow } from '../../demo/tour/oamWindow.ts';

/** The themes that every picture is taken in. */
export const THEMES = {
  light: ['Light Modern', 'vs'],
  contrast: ['Dark High Contrast', 'hc-black'],
  dark: ['Dark Modern', 'vs-dark'],
} as const;

/**
 * Leaves pictures of a window for people to look at, in each theme: `.vscode-test/pictures/<name>-<theme>.png`.
 *
 * @param page What a page of an extension's shows that is on it: with a theme it is drawn anew.
 */
export async function pictures(window: OamWindow, name: string, page?: string): Promise<void> {
  for (const [theme, [title, kind]] of Object.entries(THEMES)) {
    await window.workbench.theme(title, kind);
    if (page !== undefined) {
      const body = `body.${kind === 'vs' ? 'vscode-light' : kind === 'hc-black' ? 'vscode-high-contrast' : 'vscode-dark'}`;
      await (await window.workbench.frameWith(`${body} ${page}`)).locator(page).first().waitFor();
    }
    await picture(window, `${name}-${theme}`);
  }
}

/** Leaves a picture of a window as it is: a dialog lets nobody choose colours. */
export async function picture(window: OamWindow, name: string): Promise<void> {
  const folder = join(ROOT, '.vscode-test', 'pictures');
  await mkdir(folder, { recursive: true });
  // What lies under the pointer would show that it does.
  await window.page.mouse.move(1, 1);
  await window.page.screenshot({ path: join(folder, `${name}.png`) });
}
