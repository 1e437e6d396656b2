import * as vscode from 'vscode';

import { CancelledError } from '../domain/errors.ts';

/**
 * Asks where a file is to be put.
 *
 * @throws {CancelledError} where nowhere.
 */
export async function askWhere(name: string, kind: string, ending: string): Promise<vscode.Uri> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const uri = await vscode.window.showSaveDialog({
    filters: { [kind]: [ending] },
    ...(folder !== undefined && { defaultUri: vscode.Uri.joinPath(folder, name) }),
  });
  if (uri === undefined) throw new CancelledError();
  return uri;
}

/** Says that a file is there, with a button that opens it. */
export async function tellOfFile(uri: vscode.Uri, words: string): Promise<void> {
  const open = vscode.l10n.t('Open');
  if ((await vscode.window.showInformationMessage(words, open)) === open) {
    await vscode.commands.executeCommand('vscode.open', uri);
  }
}
