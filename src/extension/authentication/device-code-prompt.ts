import * as vscode from 'vscode';

import type { DeviceCodePrompt } from '../../identity/index.ts';
import { openPage } from './open-page.ts';

/**
 * Shows the code and opens the page that asks for it.
 *
 * @returns False where the person called it off.
 */
export async function offerCode(prompt: DeviceCodePrompt, say: (message: string) => void): Promise<boolean> {
  const open = vscode.l10n.t('Copy Code and Open Page');
  const choice = await vscode.window.showInformationMessage(
    vscode.l10n.t('Your sign-in code is {0}', prompt.userCode),
    {
      modal: true,
      detail: vscode.l10n.t(
        'The sign-in page opens in your browser: {0}\nConfirm there only if it shows this code.',
        new URL(prompt.verificationUri).host,
      ),
    },
    open,
  );
  if (choice !== open) return false;
  say(vscode.l10n.t('confirm the code {0} in the browser', prompt.userCode));
  try {
    await vscode.env.clipboard.writeText(prompt.userCode);
  } catch {
    // A browser may keep the clipboard from us. The code is on the notification as well.
  }
  await openPage(prompt.verificationUriComplete ?? prompt.verificationUri);
  return true;
}
