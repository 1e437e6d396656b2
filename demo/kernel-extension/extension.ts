import { dirname, join } from 'node:path';

import * as vscode from 'vscode';

import { Kernel, type Output } from './kernel.ts';

const NOTEBOOK = 'jupyter-notebook';

/** What the Jupyter extension shows to others of its kernels, in its own shape: https://github.com/microsoft/vscode-jupyter/blob/main/src/api.d.ts */
interface SharedKernel {
  readonly language: string;
  readonly status: string;
  readonly onDidChangeStatus: vscode.Event<string>;
  executeCode(
    code: string,
    token: vscode.CancellationToken,
  ): AsyncIterable<{ readonly items: readonly vscode.NotebookCellOutputItem[] }>;
}

interface SharedKernels {
  readonly kernels: { getKernel(uri: vscode.Uri): Promise<SharedKernel | undefined> };
}

export function activate(context: vscode.ExtensionContext): SharedKernels {
  const kernels = new Map<string, Promise<Kernel>>();
  const shared = new Map<string, SharedKernel & { become(status: string): void }>();
  /** What others ran in kernels. */
  const ran: string[] = [];
  let executionOrder = 0;

  const kernelFor = (notebook: vscode.NotebookDocument): Promise<Kernel> => {
    const key = notebook.uri.toString();
    const relay = join(context.extensionPath, 'relay.py');
    const kernel = kernels.get(key) ?? Kernel.start(relay, dirname(notebook.uri.fsPath));
    kernels.set(key, kernel);
    if (!shared.has(key)) shared.set(key, share(notebook));
    return kernel;
  };
  /** One cell or other code at a time, as kernels do it. */
  const work = new Map<string, Promise<unknown>>();
  const run = (
    notebook: vscode.NotebookDocument,
    code: string,
    show: (output: Output) => void,
  ): ReturnType<Kernel['execute']> => {
    const key = notebook.uri.toString();
    const before = work.get(key) ?? Promise.resolve();
    const running = before.then(async () => {
      const kernel = await kernelFor(notebook);
      shared.get(key)?.become('busy');
      try {
        return await kernel.execute(code, show);
      } finally {
        shared.get(key)?.become('idle');
      }
    });
    work.set(
      key,
      running.catch(() => undefined),
    );
    return running;
  };
  const share = (notebook: vscode.NotebookDocument): SharedKernel & { become(status: string): void } => {
    const changes = new vscode.EventEmitter<string>();
    let status = 'starting';
    return {
      language: 'python',
      get status() {
        return status;
      },
      onDidChangeStatus: changes.event,
      become(next) {
        status = next;
        changes.fire(next);
      },
      async *executeCode(code) {
        ran.push(code);
        const outputs: Output[] = [];
        await run(notebook, code, (output) => void outputs.push(output));
        for (const output of outputs) yield { items: items(output) };
      },
    };
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
        const result = await run(notebook, cell.document.getText(), (output) => {
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
    vscode.workspace.onDidCloseNotebookDocument((notebook) => {
      stop(notebook);
      shared.delete(notebook.uri.toString());
    }),
    vscode.commands.registerCommand('pythonKernelStandIn.restart', async () => {
      const notebook = vscode.window.activeNotebookEditor?.notebook;
      if (notebook === undefined) return;
      const kernel = shared.get(notebook.uri.toString());
      stop(notebook);
      if (kernel === undefined) return;
      kernel.become('restarting');
      await kernelFor(notebook);
      kernel.become('idle');
    }),
    // For tests: what other extensions ran.
    vscode.commands.registerCommand('pythonKernelStandIn.ran', () => ran),
    { dispose: () => vscode.workspace.notebookDocuments.forEach(stop) },
  );
  return { kernels: { getKernel: (uri) => Promise.resolve(shared.get(uri.toString())) } };
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
