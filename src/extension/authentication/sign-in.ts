import * as vscode from 'vscode';

import { CancelledError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Clock } from '../../domain/time.ts';
import {
  type DeviceCodePrompt,
  type DiscoveredIdentityProvider,
  type Session,
  signInWithDeviceCode,
  signInWithLoopback,
} from '../../identity/index.ts';
import { withCancellableProgress } from '../commands/progress.ts';
import type { Connection } from '../connection/connection.ts';
import { PRODUCT } from '../product.ts';
import { chooseFlow } from './sign-in-flow.ts';

/** Signs in at the company's identity provider, in the way that works where VS Code runs. */
export async function signIn(connection: Connection, clock: Clock, logger: Logger): Promise<Session> {
  const flow = chooseFlow({
    ui: vscode.env.uiKind === vscode.UIKind.Web ? 'web' : 'desktop',
    remoteName: vscode.env.remoteName,
  });
  return withCancellableProgress(vscode.l10n.t('Signing in to {0}', PRODUCT), (cancelled, say) => {
    const dismissed = new AbortController();
    const signal = AbortSignal.any([cancelled, dismissed.signal]);
    const perform = (identityProvider: DiscoveredIdentityProvider): Promise<Session> => {
      if (flow === 'loopback') {
        say(vscode.l10n.t('go on in the browser'));
        return signInWithLoopback(identityProvider, { openBrowser: openPage, signal });
      }
      return signInWithDeviceCode(identityProvider, {
        onPrompt: (prompt) => {
          offerCode(prompt, say).then(
            (isAccepted) => {
              if (!isAccepted) dismissed.abort();
            },
            (error: unknown) => {
              logger.warn('The code could not be shown', { error: String(error) });
              dismissed.abort();
            },
          );
        },
        signal,
        clock,
      });
    };
    return connection.signIn(perform, signal);
  });
}

async function offerCode(prompt: DeviceCodePrompt, say: (message: string) => void): Promise<boolean> {
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

async function openPage(address: string): Promise<void> {
  if (await vscode.env.openExternal(vscode.Uri.parse(address, true))) return;
  const copy = vscode.l10n.t('Copy Address');
  const choice = await vscode.window.showWarningMessage(
    vscode.l10n.t('The sign-in page could not be opened. Copy its address and open it in a browser.'),
    copy,
  );
  if (choice !== copy) throw new CancelledError();
  await vscode.env.clipboard.writeText(address);
}
