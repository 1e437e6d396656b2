import * as vscode from 'vscode';

import { hasCode, OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { commandId, CONTROL_PLANE_URL, EXTENSION, TRUSTED_WORKSPACE_HOSTS } from '../product.ts';
import { errorWords, type Remedy } from './error-words.ts';

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
  const button = buttonOf(shown);
  if ((await vscode.window.showErrorMessage(message, button)) !== button) return;
  if (shown === 'retry') retry?.();
  else await act(shown, error);
}

function buttonOf(remedy: Remedy): string {
  switch (remedy) {
    case 'signIn':
    case 'signInAgain':
      return vscode.l10n.t('Sign In');
    case 'signInToDatabricks':
      return vscode.l10n.t('Sign In to Databricks');
    case 'retry':
      return vscode.l10n.t('Try Again');
    case 'openSettings':
    case 'trustHosts':
      return vscode.l10n.t('Open Settings');
    case 'requestAccess':
      return vscode.l10n.t('Request Access');
    case 'useInFolder':
      return vscode.l10n.t('Use in This Folder');
    case 'openTerminal':
      return vscode.l10n.t('New Terminal');
    case 'whoAmI':
      return vscode.l10n.t('Who Am I Here?');
    case 'diagnose':
      return vscode.l10n.t('Diagnose');
    case 'showLog':
      return vscode.l10n.t('Show Log');
  }
}

async function act(remedy: Exclude<Remedy, 'retry'>, error: unknown): Promise<void> {
  switch (remedy) {
    case 'signInAgain':
      await vscode.commands.executeCommand(commandId('signIn'), { again: true });
      return;
    case 'signInToDatabricks':
      await vscode.commands.executeCommand(commandId(remedy), { host: hostIn(error) });
      return;
    case 'signIn':
    case 'requestAccess':
    case 'useInFolder':
    case 'whoAmI':
    case 'diagnose':
    case 'showLog':
      await vscode.commands.executeCommand(commandId(remedy));
      return;
    case 'openTerminal':
      await vscode.commands.executeCommand('workbench.action.terminal.new');
      return;
    case 'openSettings':
      await openSetting(CONTROL_PLANE_URL);
      return;
    case 'trustHosts':
      await openSetting(TRUSTED_WORKSPACE_HOSTS);
      return;
  }
}

/** The workspace that an error is about, where it names one. */
function hostIn(error: unknown): string | undefined {
  return error instanceof OamError && URL.canParse(error.detail ?? '') ? error.detail : undefined;
}

async function openSetting(name: string): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.openSettings', `${EXTENSION}.${name}`);
}
