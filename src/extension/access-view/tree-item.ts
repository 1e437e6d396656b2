import * as vscode from 'vscode';

import type { NodeWords } from './node-words.ts';

/** A line of a tree, with a tooltip and words for a screen reader on every one. */
export function treeItem(options: {
  readonly id: string;
  readonly words: NodeWords;
  readonly contextValue: string;
  readonly children: 'none' | 'closed' | 'open';
}): vscode.TreeItem {
  const { words } = options;
  const item = new vscode.TreeItem(words.label, CHILDREN[options.children]);
  item.id = options.id;
  item.contextValue = options.contextValue;
  if (words.description !== undefined) item.description = words.description;
  if (words.icon !== undefined) item.iconPath = new vscode.ThemeIcon(words.icon);
  item.tooltip = words.tooltip.join('\n');
  item.accessibilityInformation = { label: words.spoken };
  return item;
}

const CHILDREN = {
  none: vscode.TreeItemCollapsibleState.None,
  closed: vscode.TreeItemCollapsibleState.Collapsed,
  open: vscode.TreeItemCollapsibleState.Expanded,
};
