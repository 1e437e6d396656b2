import * as vscode from 'vscode';

import type { Logger } from '../../domain/logger.ts';
import { showError } from '../commands/show-error.ts';
import type { UriCallbacks } from './uri-callbacks.ts';

/** Gives addresses that are opened with the editor to the sign-in that waits for them, and shows requests. */
export function uriHandler(
  callbacks: UriCallbacks,
  linked: { handle(uri: URL): Promise<boolean> },
  logger: Logger,
): vscode.UriHandler {
  return {
    async handleUri(uri) {
      try {
        const url = new URL(uri.toString(true));
        if (await linked.handle(url)) return;
        switch (await callbacks.handle(url)) {
          case 'taken':
            return;
          case 'passedOn':
            void vscode.window.showInformationMessage(
              vscode.l10n.t('The sign-in goes on in the window in which you began it.'),
            );
            return;
          case 'unknown':
            void vscode.window.showWarningMessage(
              vscode.l10n.t('No sign-in waits for this answer of the browser. Start the sign-in again.'),
            );
        }
      } catch (error) {
        await showError(error, logger);
      }
    },
  };
}
