import * as vscode from 'vscode';

import { EXTENSION, USE_KEYCHAIN } from '../product.ts';

/**
 * Says that what the person has switched on cannot be had on this machine, and what happens instead.
 *
 * @param lookAgain takes the keychain up where it was unlocked meanwhile.
 */
export async function tellNoKeychain(lookAgain: () => Promise<void>): Promise<void> {
  const again = vscode.l10n.t('Try Again');
  const open = vscode.l10n.t('Open Settings');
  const choice = await vscode.window.showWarningMessage(
    vscode.l10n.t(
      'This machine has no keychain that can be used, so your session ends with this window and `oam` does not share it. Unlock it and try again, or switch the setting off.',
    ),
    again,
    open,
  );
  if (choice === again) await lookAgain();
  if (choice === open) {
    await vscode.commands.executeCommand('workbench.action.openSettings', `${EXTENSION}.${USE_KEYCHAIN}`);
  }
}
