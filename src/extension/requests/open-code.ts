import * as vscode from 'vscode';

import type { Logger } from '../../domain/logger.ts';
import { SECOND_MS } from '../../domain/time.ts';
import type { CodeContext } from '../../protocol/schemas.ts';
import { type CheckedOut, codeContextOf } from './code-context.ts';

/** The part that is used of the public interface of VS Code's Git extension, version 1 (`extensions/git/src/api/git.d.ts`). */
interface GitExtension {
  readonly enabled: boolean;
  getAPI(version: 1): {
    readonly repositories: readonly GitRepository[];
    getRepository(uri: vscode.Uri): GitRepository | null;
  };
}

interface GitRepository {
  readonly rootUri: vscode.Uri;
  readonly state: { readonly HEAD: CheckedOut['head']; readonly remotes: CheckedOut['remotes'] };
}

/** Nobody waits longer for Git to begin. */
const WITHIN_MS = 2 * SECOND_MS;

/**
 * Where the code stands that the person works on: that of the open file, else that of the only folder. Undefined in a folder
 * that is not trusted, where Git is not in use, and where it cannot be told which code is meant.
 */
export async function openCode(logger: Logger): Promise<CodeContext | undefined> {
  if (!vscode.workspace.isTrusted) return undefined;
  try {
    const repository = await openRepository();
    if (repository === undefined) return undefined;
    const { HEAD, remotes } = repository.state;
    return codeContextOf({ head: HEAD, remotes });
  } catch (error) {
    // It is never worth a request that is not sent.
    logger.info('The state of the code could not be read', { error: String(error) });
    return undefined;
  }
}

async function openRepository(): Promise<GitRepository | undefined> {
  const extension = vscode.extensions.getExtension<GitExtension>('vscode.git');
  if (extension === undefined) return undefined;
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), WITHIN_MS));
  const git = await Promise.race([extension.activate(), late]);
  if (git?.enabled !== true) return undefined;
  const { activeTextEditor, activeNotebookEditor } = vscode.window;
  const open = activeNotebookEditor?.notebook.uri ?? activeTextEditor?.document.uri;
  const [folder, ...others] = vscode.workspace.workspaceFolders ?? [];
  const at = open?.scheme === 'file' ? open : others.length === 0 ? folder?.uri : undefined;
  return at === undefined ? undefined : (git.getAPI(1).getRepository(at) ?? undefined);
}
