import { readFileSync } from 'node:fs';

import * as vscode from 'vscode';

import { dotenvNames, isSignInVariable } from './already-set.ts';
import type { Folder } from './folder-injection.ts';
import type { FolderMemory } from './folder-memory.ts';

/** Databricks' own extension. It fills notebook kernels from a file in the folder, when they start. */
const DATABRICKS_EXTENSION = 'databricks.databricks';
const ITS_FILE = ['.databricks', '.databricks.env'];

/** True where Databricks' own extension signs the notebooks of a folder in. Its terminals get no sign-in of it. */
export function isSignedInByDatabricks(folder: Folder): boolean {
  if (vscode.extensions.getExtension(DATABRICKS_EXTENSION) === undefined) return false;
  const uri = vscode.Uri.parse(folder.uri, true);
  if (uri.scheme !== 'file') return false;
  try {
    const text = readFileSync(vscode.Uri.joinPath(uri, ...ITS_FILE).fsPath, 'utf8');
    return dotenvNames(text).some(isSignInVariable);
  } catch {
    // Not there: it was not configured for this folder.
    return false;
  }
}

/** Says, once for each folder, that two extensions sign in there and which one wins where. */
export async function tellOfDatabricksExtension(
  folders: readonly Folder[],
  memory: Pick<FolderMemory, 'isToldOfOwnSettings' | 'setToldOfOwnSettings'>,
): Promise<void> {
  for (const folder of folders) {
    const what = `${folder.uri}#${DATABRICKS_EXTENSION}`;
    if (memory.isToldOfOwnSettings(what) || !isSignedInByDatabricks(folder)) continue;
    await memory.setToldOfOwnSettings(what);
    void vscode.window.showInformationMessage(
      vscode.l10n.t(
        "Databricks' own extension signs the notebooks of {0} in, and OAM leaves them to it. Terminals, tasks and other debug sessions work with OAM.",
        folder.name,
      ),
    );
  }
}
