import { readFileSync } from 'node:fs';

import * as vscode from 'vscode';

import { EXTENSION, PRODUCT } from '../product.ts';
import { type AlreadySet, findAlreadySet, type PlacesToLook } from './already-set.ts';
import type { Folder } from './folder-injection.ts';
import { type PointerTarget, terminalTarget } from './pointer-target.ts';

/** The folders of the window. */
export function editorFolders(): Folder[] {
  return (vscode.workspace.workspaceFolders ?? []).map(({ uri, name }) => ({ uri: uri.toString(), name }));
}

/**
 * What is set in a folder already that says where Databricks is or who signs in.
 *
 * @param inherited The environment that this process was started with, before anything of ours was put there.
 */
export function alreadySetIn(
  folder: Folder,
  inherited: Readonly<Record<string, string | undefined>>,
): AlreadySet[] {
  return findAlreadySet(placesToLook(folder, inherited));
}

/** Where a person sets variables for the programs of a folder. `inherited` as of {@link alreadySetIn}. */
export function placesToLook(
  folder: Folder,
  inherited: Readonly<Record<string, string | undefined>>,
): PlacesToLook {
  const uri = vscode.Uri.parse(folder.uri, true);
  const platform = process.platform === 'win32' ? 'windows' : process.platform === 'darwin' ? 'osx' : 'linux';
  return {
    environment: inherited,
    dotenv: readDotenv(uri),
    terminalSettings:
      vscode.workspace
        .getConfiguration('terminal.integrated.env', uri)
        .get<Record<string, unknown> | null>(platform) ?? {},
  };
}

function readDotenv(folder: vscode.Uri): string | undefined {
  if (folder.scheme !== 'file') return undefined;
  try {
    // Not waited for: pointers have to be there before the first kernel starts.
    return readFileSync(vscode.Uri.joinPath(folder, '.env').fsPath, 'utf8');
  } catch {
    // Not there; or not readable for us, nor then for the programs that would read it.
    return undefined;
  }
}

/** A setting of ours, as it is in a folder. */
export function folderSetting(folder: Folder, name: string): unknown {
  return vscode.workspace.getConfiguration(EXTENSION, vscode.Uri.parse(folder.uri, true)).get(name);
}

/** The terminals and tasks of each folder. */
export function terminalTargets(
  collection: vscode.GlobalEnvironmentVariableCollection,
): (folder: Folder) => PointerTarget {
  // What is persistent is given to terminals of the next start, before we run.
  collection.persistent = false;
  return ({ uri }) => {
    const workspaceFolder = vscode.workspace.workspaceFolders?.find(
      (folder) => folder.uri.toString() === uri,
    );
    if (workspaceFolder === undefined) throw new Error(`Not a folder of this window: ${uri}`);
    return terminalTarget(
      collection.getScoped({ workspaceFolder }),
      vscode.l10n.t('{0} points Databricks tools to your sign-in. It stores no token.', PRODUCT),
    );
  };
}
