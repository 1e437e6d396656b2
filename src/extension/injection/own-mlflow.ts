import * as vscode from 'vscode';

import type { Folder } from './folder-injection.ts';
import type { FolderMemory } from './folder-memory.ts';
import { MLFLOW_VARIABLE, type MlflowTracking } from './mlflow-tracking.ts';

/** Says, once for each folder, that MLflow works where the person said, though the setting asks for the workspace. */
export async function tellOfOwnMlflow(
  folders: readonly Folder[],
  mlflow: (folder: Folder) => MlflowTracking,
  memory: Pick<FolderMemory, 'isToldOfOwnSettings' | 'setToldOfOwnSettings'>,
): Promise<void> {
  for (const folder of folders) {
    const what = `${folder.uri}#${MLFLOW_VARIABLE}`;
    if (memory.isToldOfOwnSettings(what) || mlflow(folder).own === undefined) continue;
    await memory.setToldOfOwnSettings(what);
    void vscode.window.showInformationMessage(
      vscode.l10n.t('{0} sets {1} itself, so OAM leaves MLflow there alone.', folder.name, MLFLOW_VARIABLE),
    );
  }
}
