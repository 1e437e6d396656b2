import * as vscode from 'vscode';

import { BACK, pick } from '../commands/steps.ts';
import { EXTENSION, PURPOSE_TEMPLATES } from '../product.ts';

/**
 * Lets a person choose from the purposes that they keep in the settings and those that they gave last.
 *
 * @returns undefined where they took none and want to write one.
 * @throws {CancelledError} where the person leaves.
 */
export async function choosePurpose(
  step: { readonly title: string; readonly step: number; readonly steps: number },
  lately: readonly string[],
): Promise<string | undefined> {
  const { l10n } = vscode;
  const templates = templatesOf(vscode.workspace.getConfiguration(EXTENSION).get(PURPOSE_TEMPLATES));
  const separator = (label: string, lines: readonly unknown[]) =>
    lines.length === 0
      ? []
      : [{ label, kind: vscode.QuickPickItemKind.Separator, purpose: undefined, edits: false }];
  const line = (icon: string) => (purpose: string) => ({
    label: purpose,
    iconPath: new vscode.ThemeIcon(icon),
    purpose,
    edits: false,
  });
  const others = lately.filter((purpose) => !templates.includes(purpose));
  const chosen = await pick({
    ...step,
    hasBack: true,
    placeholder: l10n.t('Choose a purpose; you can change it before you go on'),
    items: [
      ...separator(l10n.t('Kept in your settings'), templates),
      ...templates.map(line('bookmark')),
      ...separator(l10n.t('Given lately'), others),
      ...others.map(line('history')),
      {
        label: l10n.t('Edit What Is Kept…'),
        iconPath: new vscode.ThemeIcon('gear'),
        purpose: undefined,
        edits: true,
      },
    ],
    active: undefined,
  });
  if (chosen === BACK) return undefined;
  if (chosen.edits) {
    await vscode.commands.executeCommand(
      'workbench.action.openSettings',
      `${EXTENSION}.${PURPOSE_TEMPLATES}`,
    );
  }
  return chosen.purpose;
}

/** Settings are what somebody typed. */
function templatesOf(setting: unknown): string[] {
  if (!Array.isArray(setting)) return [];
  return setting.filter((entry): entry is string => typeof entry === 'string' && entry.trim() !== '');
}
