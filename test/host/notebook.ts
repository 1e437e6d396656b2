import * as vscode from 'vscode';

/** Opens a notebook of one cell: one that lies nowhere, or a file. */
export async function openNotebook(code: string, uri?: vscode.Uri): Promise<vscode.NotebookDocument> {
  const cell = new vscode.NotebookCellData(vscode.NotebookCellKind.Code, code, 'python');
  const notebook =
    uri === undefined
      ? await vscode.workspace.openNotebookDocument('jupyter-notebook', new vscode.NotebookData([cell]))
      : await vscode.workspace.openNotebookDocument(uri);
  await vscode.window.showNotebookDocument(notebook);
  return notebook;
}

/** Runs a cell and returns what it printed. */
export async function runCell(notebook: vscode.NotebookDocument, index: number): Promise<string> {
  const cell = notebook.cellAt(index);
  const before = cell.executionSummary?.timing?.endTime;
  const ended = new Promise<void>((resolve) => {
    const listener = vscode.workspace.onDidChangeNotebookDocument((change) => {
      const end = cell.executionSummary?.timing?.endTime;
      if (change.notebook === notebook && end !== undefined && end !== before) {
        listener.dispose();
        resolve();
      }
    });
  });
  await vscode.commands.executeCommand('notebook.selectKernel', {
    id: 'python',
    extension: 'ms-toolsai.jupyter',
  });
  await vscode.commands.executeCommand('notebook.cell.execute', {
    ranges: [{ start: index, end: index + 1 }],
    document: notebook.uri,
  });
  await ended;
  return cell.outputs
    .flatMap((output) => output.items)
    .map((item) => new TextDecoder().decode(item.data))
    .join('')
    .trim();
}
