import * as vscode from 'vscode';

import type { Connection } from '../connection/connection.ts';
import { EXTENSION, USE_KEYCHAIN } from '../product.ts';
import type { SharedSessions } from './editor-sessions.ts';

/**
 * Says that what the person has switched on cannot be had on this machine, and what happens instead; takes the keychain
 * up where they unlock it and say so.
 */
export async function tellNoKeychain(
  sessions: Pick<SharedSessions, 'lookAgain'>,
  connection: Pick<Connection, 'start'>,
): Promise<void> {
  const again = vscode.l10n.t('Try Again');
  const open = vscode.l10n.t('Open Settings');
  const choice = await vscode.window.showWarningMessage(
    vscode.l10n.t(
      'This machine has no keychain that can be used, so your session ends with this window and `oam` does not share it. Unlock it and try again, or switch the setting off.',
    ),
    again,
    open,
  );
  if (choice === again && (await sessions.lookAgain())) await connection.start();
  if (choice === open) {
    await vscode.commands.executeCommand('workbench.action.openSettings', `${EXTENSION}.${USE_KEYCHAIN}`);
  }
}
