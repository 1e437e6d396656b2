import * as vscode from 'vscode';

import { hasCode, OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { commandId, CONTROL_PLANE_URL, EXTENSION, TRUSTED_WORKSPACE_HOSTS } from '../product.ts';
import { errorWords, type Remedy, remedyWords } from './error-words.ts';

/** True where somebody called an action off. */
export function isCancellation(error: unknown): boolean {
  return (
    hasCode(error, 'cancelled') ||
    error instanceof vscode.CancellationError ||
    (error instanceof Error && error.name === 'AbortError')
  );
}

/** Tells a person about an error, with one button for the next step. Cancelling is silent. */
export async function showError(error: unknown, logger: Logger, retry?: () => void): Promise<void> {
  if (isCancellation(error)) return;
  const { message, remedy } = errorWords(vscode.l10n, error);
  logger.error('Shown to the person', {
    message,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  // What asks again by itself, a program for one, needs no button for that.
  const shown = remedy === 'retry' && retry === undefined ? 'diagnose' : remedy;
  const button = remedyWords(vscode.l10n, shown);
  if ((await vscode.window.showErrorMessage(message, button)) !== button) return;
  if (shown === 'retry') {
    retry?.();
    return;
  }
  const { command, arguments: given = [] } = remedyCommand(shown, hostIn(error));
  await vscode.commands.executeCommand(command, ...(given as unknown[]));
}

/**
 * What a click does about an error that is shown where it stands.
 *
 * @param host The workspace that it is about, where there is one.
 */
export function remedyCommand(remedy: Remedy, host: string | undefined): vscode.Command {
  const title = remedyWords(vscode.l10n, remedy);
  switch (remedy) {
    case 'retry':
      return { title, command: commandId('refresh') };
    case 'signInAgain':
      return { title, command: commandId('signIn'), arguments: [{ again: true }] };
    case 'signInToDatabricks':
      return { title, command: commandId(remedy), arguments: [{ host }] };
    case 'signIn':
    case 'requestAccess':
    case 'useInFolder':
    case 'whoAmI':
    case 'diagnose':
    case 'showLog':
      return { title, command: commandId(remedy) };
    case 'openTerminal':
      return { title, command: 'workbench.action.terminal.new' };
    case 'openSettings':
      return openSetting(title, CONTROL_PLANE_URL);
    case 'trustHosts':
      return openSetting(title, TRUSTED_WORKSPACE_HOSTS);
  }
}

/** The workspace that an error is about, where it names one. */
function hostIn(error: unknown): string | undefined {
  return error instanceof OamError && URL.canParse(error.detail ?? '') ? error.detail : undefined;
}

function openSetting(title: string, name: string): vscode.Command {
  return { title, command: 'workbench.action.openSettings', arguments: [`${EXTENSION}.${name}`] };
}
