import * as vscode from 'vscode';

import type { WorkspaceRef } from '../access-view/access-nodes.ts';
import type { Folder } from './folder-injection.ts';

/** A notification has room for this many workspaces. */
const MAX_BUTTONS = 3;

/**
 * The folder's one question. With several workspaces the answer names one.
 *
 * @returns The workspace, `never`, or undefined where the question was put aside.
 */
export async function askFolderQuestion(
  folder: Folder,
  workspaces: readonly WorkspaceRef[],
  isOnlyFolder: boolean,
): Promise<WorkspaceRef | 'never' | undefined> {
  const question = isOnlyFolder
    ? vscode.l10n.t('Use OAM for Databricks in this folder?')
    : vscode.l10n.t('Use OAM for Databricks in the folder {0}?', folder.name);
  const explanation = vscode.l10n.t(
    'New terminals, tasks and notebook kernels then sign in to Databricks as you, and no token is stored.',
  );
  const never = vscode.l10n.t("Don't Use");
  const others = vscode.l10n.t('Choose a Workspace…');
  const labels = new Map(
    workspaces.map((workspace) => [vscode.l10n.t('Use {0}', workspace.name), workspace]),
  );
  const buttons = workspaces.length <= MAX_BUTTONS ? [...labels.keys(), never] : [others, never];
  const choice = await vscode.window.showInformationMessage(`${question} ${explanation}`, ...buttons);
  if (choice === undefined) return undefined;
  if (choice === never) return 'never';
  return choice === others ? pickWorkspace(workspaces) : labels.get(choice);
}

/** Lets a person pick one of several workspaces; undefined where they leave. */
export async function pickWorkspace(workspaces: readonly WorkspaceRef[]): Promise<WorkspaceRef | undefined> {
  if (workspaces.length === 1) return workspaces[0];
  const chosen = await vscode.window.showQuickPick(
    workspaces.map((workspace) => ({ label: workspace.name, description: workspace.host, workspace })),
    { placeHolder: vscode.l10n.t('Which Databricks workspace does this folder work with?') },
  );
  return chosen?.workspace;
}
