import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { Localise } from '../localise.ts';
import { commandId } from '../product.ts';
import { momentWords } from '../time-words.ts';
import type { ExpiryWarning } from './expiry-warnings.ts';

/** Says what ends, in one notification, and extends it with one click. */
export async function showExpiry(warnings: readonly ExpiryWarning[], clock: Clock): Promise<void> {
  const { l10n } = vscode;
  const open = warnings.filter(({ isAsked }) => !isAsked);
  const text = expiryWords(l10n, warnings, (atMs) => momentWords(vscode.env.language, atMs, clock.nowMs()));
  if (open.length === 0) {
    void vscode.window.showWarningMessage(text);
    return;
  }
  const extend = open.length === 1 ? l10n.t('Extend') : l10n.t('Extend All');
  if ((await vscode.window.showWarningMessage(text, extend)) !== extend) return;
  // One after the other: the command runs once at a time.
  for (const { grant } of open) await vscode.commands.executeCommand(commandId('extendAccess'), { grant });
}

/** What ends, in one line. */
function expiryWords(
  l10n: Localise,
  warnings: readonly ExpiryWarning[],
  moment: (atMs: number) => string,
): string {
  const [first] = warnings;
  if (first !== undefined && warnings.length === 1) {
    return first.isAsked
      ? l10n.t(
          'Ends at {0}, and nobody has answered your request to extend it: {1}. Save what depends on it.',
          moment(first.endsAtMs),
          first.grant.role.title,
        )
      : l10n.t(
          'Ends at {0}: {1}. Extend it, or save what depends on it.',
          moment(first.endsAtMs),
          first.grant.role.title,
        );
  }
  const list = warnings.map(({ grant, endsAtMs, isAsked }) =>
    isAsked
      ? l10n.t('{0} at {1} (asked to extend)', grant.role.title, moment(endsAtMs))
      : l10n.t('{0} at {1}', grant.role.title, moment(endsAtMs)),
  );
  return l10n.t('About to end: {0}. Extend what you need, or save what depends on it.', list.join(', '));
}
