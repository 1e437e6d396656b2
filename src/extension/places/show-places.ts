import * as vscode from 'vscode';

import { commandId } from '../product.ts';
import { placeLines, type Places } from './place-lines.ts';

/** Shows whom each place of the window answers as. A pick leads to what mends it, or to the terminal. */
export async function showPlaces(places: Places): Promise<void> {
  const lines = placeLines(vscode.l10n, places);
  if (lines.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Open a folder first.'));
    return;
  }
  const chosen = await vscode.window.showQuickPick(lines, {
    title: vscode.l10n.t('Who Am I Here?'),
    placeHolder: vscode.l10n.t('Whom Databricks sees when a program of this window asks'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (typeof chosen?.act === 'function') chosen.act();
  else if (chosen?.act !== undefined) await vscode.commands.executeCommand(commandId(chosen.act));
}
