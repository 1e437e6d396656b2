import * as vscode from 'vscode';

import { EXTENSION, USE_KEYCHAIN } from '../product.ts';

/** Says that what the person has switched on cannot be had on this machine, and what happens instead. */
export async function tellNoKeychain(): Promise<void> {
  const open = vscode.l10n.t('Open Settings');
  const choice = await vscode.window.showWarningMessage(
    vscode.l10n.t(
      'This machine has no keychain that can be used, so your session ends with this window and `oam` does not share it. Unlock or install a keychain and reload the window, or switch the setting off.',
    ),
    open,
  );
  if (choice === open) {
    await vscode.commands.executeCommand('workbench.action.openSettings', `${EXTENSION}.${USE_KEYCHAIN}`);
  }
}
