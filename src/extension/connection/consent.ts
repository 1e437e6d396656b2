import * as vscode from 'vscode';

import { PRODUCT } from '../product.ts';
import { type TrustChange, trustChangeWords } from './pinned-trust.ts';

/** Asks whether a change of whom the person trusts is meant. Anything but a clear yes is no. */
export async function confirmTrustChange(changes: readonly TrustChange[]): Promise<boolean> {
  const accept = vscode.l10n.t('Accept the Change');
  const choice = await vscode.window.showWarningMessage(
    vscode.l10n.t('The control plane of {0} names other parties than when you first signed in.', PRODUCT),
    {
      modal: true,
      detail: `${trustChangeWords(vscode.l10n, changes)}\n\n${vscode.l10n.t(
        'Your sign-in would be shown to them. Accept only if your platform team announced it.',
      )}`,
    },
    accept,
  );
  return choice === accept;
}
