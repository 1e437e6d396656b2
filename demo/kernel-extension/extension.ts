import { dirname, join } from 'node:path';

import * as vscode from 'vscode';

import { Kernel, type Output } from './kernel.ts';

const NOTEBOOK = 'jupyter-notebook';

export function activate(context: vscode.ExtensionContext): void {
  const kernels = new Map<string, Promise<Kernel>>();
  let executionOrder = 0;

  const kernelFor = (notebook: vscode.NotebookDocument): Promise<Kernel> => {
    const key = notebook.uri.toString();
    const relay = join(context.extensionPath, 'relay.py');
    const kernel = kernels.get(key) ?? Kernel.start(relay, dirname(notebook.uri.fsPath));
    kernels.set(key, kernel);
    return kernel;
  };
  const stop = (notebook: vscode.NotebookDocument): void => {
    const key = notebook.uri.toString();
    const kernel = kernels.get(key);
    kernels.delete(key);
    kernel?.then(
      (running) => {
        running.dispose();
      },
      () => undefined,
    );
  };

  const controller = vscode.notebooks.createNotebookController('python', NOTEBOOK, 'Python');
  controller.supportedLanguages = ['python'];
  controller.supportsExecutionOrder = true;
  controller.interruptHandler = async (notebook) => {
    (await kernels.get(notebook.uri.toString()))?.interrupt();
  };
  controller.executeHandler = async (cells, notebook) => {
    for (const cell of cells) {
      const execution = controller.createNotebookCellExecution(cell);
      execution.executionOrder = ++executionOrder;
      execution.start(Date.now());
      await execution.clearOutput();
      let ok = false;
      try {
        const kernel = await kernelFor(notebook);
        const result = await kernel.execute(cell.document.getText(), (output) => {
          void execution.appendOutput(new vscode.NotebookCellOutput(items(output)));
        });
        ok = result.ok;
      } catch (error) {
        stop(notebook);
        await execution.appendOutput(
          new vscode.NotebookCellOutput([
            vscode.NotebookCellOutputItem.error(error instanceof Error ? error : new Error(String(error))),
          ]),
        );
      }
      execution.end(ok, Date.now());
      if (!ok) return;
    }
  };

  if (vscode.workspace.getConfiguration('pythonKernelStandIn').get('showNotebook') === true)
    void showNotebook();

  // The only kernel here need not be chosen.
  const prefer = (notebook: vscode.NotebookDocument): void => {
    controller.updateNotebookAffinity(notebook, vscode.NotebookControllerAffinity.Preferred);
  };
  vscode.workspace.notebookDocuments.forEach(prefer);

  context.subscriptions.push(
    controller,
    vscode.workspace.onDidOpenNotebookDocument(prefer),
    vscode.workspace.onDidCloseNotebookDocument(stop),
    vscode.commands.registerCommand('pythonKernelStandIn.restart', () => {
      const notebook = vscode.window.activeNotebookEditor?.notebook;
      if (notebook !== undefined) stop(notebook);
    }),
    { dispose: () => vscode.workspace.notebookDocuments.forEach(stop) },
  );
}

/** Shows the folder's notebook where nothing else is open, as VS Code does with a read-me. */
async function showNotebook(): Promise<void> {
  // VS Code's own pages, where a folder is trusted for one, have no input.
  if (vscode.window.tabGroups.all.some(({ tabs }) => tabs.some(({ input }) => input !== undefined))) return;
  const [notebook] = await vscode.workspace.findFiles('*.ipynb', undefined, 1);
  if (notebook !== undefined) await vscode.commands.executeCommand('vscode.openWith', notebook, NOTEBOOK);
}

function items(output: Output): vscode.NotebookCellOutputItem[] {
  switch (output.type) {
    case 'stream':
      return [
        output.name === 'stdout'
          ? vscode.NotebookCellOutputItem.stdout(output.text)
          : vscode.NotebookCellOutputItem.stderr(output.text),
      ];
    case 'data':
      return Object.entries(output.data).map(([mime, value]) =>
        vscode.NotebookCellOutputItem.text(value, mime),
      );
    case 'error': {
      const error = new Error(output.message);
      error.name = output.name;
      error.stack = output.stack.join('\n');
      return [vscode.NotebookCellOutputItem.error(error)];
    }
  }
}
