import * as vscode from 'vscode';

import { CancelledError } from '../../domain/errors.ts';
import type { KnownAccount } from '../../identity/index.ts';
import type { Connection } from '../connection/connection.ts';
import type { SignIn } from './sign-in.ts';

interface Line extends vscode.QuickPickItem {
  readonly account: KnownAccount | undefined;
}

/**
 * Lets a person act as another account of theirs: at once where it is signed in, else by a sign-in. What runs as the
 * account of before gets no new token, and nobody is signed out.
 *
 * @returns Who acts now.
 */
export async function switchAccount(
  connection: Pick<Connection, 'accounts' | 'switchTo'>,
  signIn: Pick<SignIn, 'run'>,
): Promise<string> {
  const chosen = await vscode.window.showQuickPick<Line>(
    [
      ...connection.accounts.map((account) => ({
        label: account.userName,
        description: standing(account),
        account,
      })),
      { label: vscode.l10n.t('$(add) Sign in with another account'), account: undefined },
    ],
    { placeHolder: vscode.l10n.t('As whom do you want to act?') },
  );
  if (chosen === undefined) throw new CancelledError();
  const { account } = chosen;
  if (account?.session === undefined) {
    const who = account === undefined ? 'ask' : { userName: account.userName };
    return (await signIn.run({ seat: 'acts', who })).userName;
  }
  if (!account.isActing) await connection.switchTo(account.key);
  return account.userName;
}

function standing({ isActing, session }: KnownAccount): string {
  if (session === undefined) return vscode.l10n.t('the session has ended; you will sign in again');
  return isActing ? vscode.l10n.t('acts now') : vscode.l10n.t('signed in');
}
