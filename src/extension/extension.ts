import * as vscode from 'vscode';

export function activate(context: vscode.ExtensionContext): void {
  const channel = vscode.window.createOutputChannel('Databricks ML OAM', { log: true });
  context.subscriptions.push(channel);
  const url = vscode.workspace.getConfiguration('databricksMlOam').get<string>('controlPlaneUrl', '');
  void vscode.commands.executeCommand(
    'setContext',
    'databricksMlOam.view',
    url === '' ? 'notConfigured' : 'signedOut',
  );
  context.subscriptions.push(
    vscode.commands.registerCommand('databricksMlOam.showLog', () => channel.show()),
    vscode.window.createTreeView('databricksMlOam.access', {
      treeDataProvider: { getChildren: () => [], getTreeItem: (item: vscode.TreeItem) => item },
    }),
  );
}
