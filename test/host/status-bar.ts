import * as vscode from 'vscode';

import { stub } from './stub.ts';

/** What the status bar's item of the extension says, as it is told to VS Code from now on. */
export interface WatchedStatusBar extends Disposable {
  readonly text: string | undefined;
  readonly spoken: string | undefined;
  readonly command: unknown;
}

/**
 * Watches an item that another part of the process made: VS Code has no way to read it back, but all items of the
 * extension host are of one class.
 */
export function watchStatusBar(id: string): WatchedStatusBar {
  const probe = vscode.window.createStatusBarItem('oam.test.probe');
  const shared: unknown = Object.getPrototypeOf(probe);
  probe.dispose();
  if (typeof shared !== 'object' || shared === null) throw new Error('A status bar item has no class.');
  let last: vscode.StatusBarItem | undefined;
  const remember = (item: vscode.StatusBarItem): void => {
    if (item.id === id || item.id.endsWith(`.${id}`)) last = item;
  };
  const show: unknown = Reflect.get(shared, 'show');
  if (typeof show !== 'function') throw new Error('A status bar item cannot be shown.');
  const replaced = stub(shared, 'show', function (this: vscode.StatusBarItem) {
    remember(this);
    Reflect.apply(show, this, []);
  });
  return {
    get text() {
      return last?.text;
    },
    get spoken() {
      return last?.accessibilityInformation?.label;
    },
    get command() {
      return last?.command;
    },
    [Symbol.dispose]: () => replaced[Symbol.dispose](),
  };
}
