import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as vscode from 'vscode';

import type { Logger } from '../../domain/logger.ts';
import { isSignedInByDatabricks } from '../injection/databricks-extension.ts';
import type { Folder, FolderInjection } from '../injection/folder-injection.ts';
import type { FolderMemory } from '../injection/folder-memory.ts';
import { JupyterKernels } from './jupyter-kernels.ts';
import type { KernelOutcome } from './kernel-code.ts';
import { KernelRepair, type OpenNotebook } from './kernel-repair.ts';

const NOTEBOOK = 'jupyter-notebook';

/** True while a notebook of Jupyter's is open. */
export function isNotebookOpen(): boolean {
  return vscode.workspace.notebookDocuments.some(({ notebookType }) => notebookType === NOTEBOOK);
}

/** What {@link watchRunningKernels} needs. */
export interface RunningKernelOptions {
  readonly folders: () => readonly Folder[];
  readonly injection: Pick<FolderInjection, 'kernelEnvironment' | 'kernelPointer' | 'onDidChange'>;
  readonly memory: Pick<FolderMemory, 'mayChangeKernels' | 'setMayChangeKernels'>;
  readonly logger: Logger;
}

/** Brings pointers to notebook kernels that run already, once the person has said that it may. */
export function watchRunningKernels(options: RunningKernelOptions): vscode.Disposable {
  const { folders, injection, memory, logger } = options;
  const kernels = new JupyterKernels();
  /** Each folder is asked about once in a window. */
  const asked = new Set<string>();
  const told = new Set<string>();

  const ask = async (folder: Folder): Promise<void> => {
    const yes = vscode.l10n.t('Set Up');
    const never = vscode.l10n.t('Never in This Folder');
    const choice = await vscode.window.showInformationMessage(
      vscode.l10n.t(
        'Notebook kernels of {0} began without your access. Set it up in them, now and after restarts? VS Code then asks whether OAM may run code in kernels.',
        folder.name,
      ),
      yes,
      never,
    );
    if (choice === undefined) return;
    await memory.setMayChangeKernels(folder.uri, choice === yes);
    await repair.look();
  };

  const mayChange = (folder: Folder): boolean => {
    const known = memory.mayChangeKernels(folder.uri);
    if (known !== undefined || asked.has(folder.uri)) return known === true;
    asked.add(folder.uri);
    ask(folder).catch((error: unknown) => {
      logger.warn('It could not be kept whether kernels may be set up', { error: String(error) });
    });
    return false;
  };

  const tell = (folder: Folder, outcome: KernelOutcome): void => {
    const text = outcomeWords(folder, outcome);
    if (text === undefined) return;
    if (outcome === 'set') {
      vscode.window.setStatusBarMessage(text, 10_000);
      return;
    }
    if (told.has(text)) return;
    told.add(text);
    void vscode.window.showInformationMessage(text);
  };

  const repair = new KernelRepair({
    notebooks: () => openNotebooks(folders()),
    kernelOf: (uri) => kernels.of(vscode.Uri.parse(uri, true)),
    environment: (folder) => injection.kernelEnvironment(folder),
    kernelPointer: () => injection.kernelPointer(),
    isLeft: isSignedInByDatabricks,
    isAgreed: ({ uri }) => memory.mayChangeKernels(uri) === true,
    mayChange,
    lay,
    tell,
    logger,
  });
  void repair.look();
  return vscode.Disposable.from(
    repair,
    injection.onDidChange(() => void repair.look()),
    vscode.workspace.onDidOpenNotebookDocument(() => void repair.look()),
    vscode.workspace.onDidChangeNotebookDocument(({ cellChanges }) => {
      // A kernel can be had once the person has run a cell in it.
      if (cellChanges.some(({ executionSummary }) => executionSummary !== undefined)) void repair.look();
    }),
  );
}

function openNotebooks(folders: readonly Folder[]): OpenNotebook[] {
  return vscode.workspace.notebookDocuments.flatMap(({ notebookType, uri }) => {
    if (notebookType !== NOTEBOOK) return [];
    const within = vscode.workspace.getWorkspaceFolder(uri)?.uri.toString();
    // A notebook that lies nowhere belongs to the only folder.
    const folder =
      within === undefined && folders.length === 1
        ? folders[0]
        : folders.find((candidate) => candidate.uri === within);
    return folder === undefined ? [] : [{ uri: uri.toString(), folder }];
  });
}

async function lay(text: string): Promise<{ readonly file: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'oam-pointer-'));
  const file = join(folder, 'pointer.json');
  await writeFile(file, text, { mode: 0o600 });
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}

function outcomeWords(folder: Folder, outcome: KernelOutcome): string | undefined {
  switch (outcome) {
    case 'set':
      return vscode.l10n.t('The notebook kernel has your access now. Make Databricks clients anew.');
    case 'same':
      return undefined;
    case 'own':
      return vscode.l10n.t(
        'A notebook kernel of {0} signs in to Databricks by variables of its own, so OAM leaves it alone.',
        folder.name,
      );
    case 'elsewhere':
      return vscode.l10n.t(
        'A notebook kernel of {0} runs on another machine, where OAM is not. Run `oam kernel install` there.',
        folder.name,
      );
  }
}
