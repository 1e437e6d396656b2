import * as vscode from 'vscode';

import { CancelledError } from '../../domain/errors.ts';

/**
 * Lets a person pick one of several things, for a command that was not called on one.
 *
 * @throws {CancelledError} where there is nothing to pick, which is said, or nothing was picked.
 */
export async function choose<T>(
  things: readonly T[],
  words: (thing: T) => { readonly label: string; readonly description?: string; readonly detail: string },
  placeholder: string,
  none: string,
): Promise<T> {
  if (things.length === 0) {
    void vscode.window.showInformationMessage(none);
    throw new CancelledError();
  }
  const chosen = await vscode.window.showQuickPick(
    things.map((thing) => ({ ...words(thing), thing })),
    { placeHolder: placeholder, matchOnDescription: true, matchOnDetail: true },
  );
  if (chosen === undefined) throw new CancelledError();
  return chosen.thing;
}
