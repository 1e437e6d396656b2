import * as vscode from 'vscode';

import { CancelledError } from '../../domain/errors.ts';

/** Opens a page in the person's browser, or lets them take its address there. */
export async function openPage(address: string): Promise<void> {
  if (await vscode.env.openExternal(vscode.Uri.parse(address, true))) return;
  const copy = vscode.l10n.t('Copy Address');
  const choice = await vscode.window.showWarningMessage(
    vscode.l10n.t('The sign-in page could not be opened. Copy its address and open it in a browser.'),
    copy,
  );
  if (choice !== copy) throw new CancelledError();
  await vscode.env.clipboard.writeText(address);
}
