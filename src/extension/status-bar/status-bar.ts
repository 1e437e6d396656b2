import * as vscode from 'vscode';

import { ACCESS_VIEW, commandId, PRODUCT } from '../product.ts';
import type { StatusWords } from './status-words.ts';

/** The status bar's one item. */
export class StatusBar implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem(
    'databricksMlOam.status',
    vscode.StatusBarAlignment.Left,
    0,
  );

  constructor() {
    this.#item.name = PRODUCT;
  }

  show(words: StatusWords | undefined, isSignedOut: boolean): void {
    if (words === undefined) {
      this.#item.hide();
      return;
    }
    this.#item.text = words.text;
    this.#item.tooltip = words.tooltip.join('\n');
    this.#item.accessibilityInformation = { label: words.spoken, role: 'button' };
    this.#item.command = isSignedOut ? commandId('signIn') : `${ACCESS_VIEW}.focus`;
    this.#item.show();
  }

  dispose(): void {
    this.#item.dispose();
  }
}
