import * as vscode from 'vscode';

import { PAGES_CONTEXT } from './product.ts';

/**
 * Counts the pages of VS Code's own that are opened. A step of the walkthrough is ticked off when its context changes,
 * and VS Code begins to look once the page is there: what was so before would stay open.
 */
export function pageContext(): vscode.Disposable {
  let count = 0;
  return vscode.window.tabGroups.onDidChangeTabs(({ opened, changed }) => {
    // A page of VS Code's own tells extensions nothing of itself.
    if (![...opened, ...changed].some(({ input }) => input === undefined)) return;
    count += 1;
    void vscode.commands.executeCommand('setContext', PAGES_CONTEXT, count);
  });
}
