import * as vscode from 'vscode';

import type { NodeWords } from './node-words.ts';
import { tooltipMarkdown, type TooltipWords } from './tooltip.ts';
import { lineUri } from './line-marks.ts';
import { TONE_MARKS } from './tones.ts';

/** A line of a tree, with a tooltip, words for a screen reader and a mark for a glance on every one. */
export function treeItem(options: {
  readonly id: string;
  readonly words: NodeWords;
  readonly contextValue: string;
  readonly children: 'none' | 'closed' | 'open';
  /** Goes up where a line is to be looked at anew as soon as it is seen again. */
  readonly age?: number;
}): vscode.TreeItem {
  const { words, age = 0 } = options;
  const item = new vscode.TreeItem(words.label, CHILDREN[options.children]);
  item.id = options.id;
  item.contextValue = options.contextValue;
  if (words.description !== undefined) item.description = words.description;
  if (words.icon !== undefined) item.iconPath = new vscode.ThemeIcon(words.icon, iconColour(words));
  item.resourceUri = lineUri(options.id, words.tone, age);
  item.tooltip = tooltipOf(words);
  item.accessibilityInformation = { label: words.spoken };
  return item;
}

/** The words of a tooltip. `appendText` of VS Code would make every space one at which no line breaks. */
export function tooltipOf(words: TooltipWords): vscode.MarkdownString {
  return new vscode.MarkdownString(tooltipMarkdown(words));
}

/** Only what works, moves or is in trouble has a colour: in a list of many coloured icons none says anything. */
function iconColour({ tone }: NodeWords): vscode.ThemeColor | undefined {
  switch (tone) {
    case 'active':
    case 'endsSoon':
    case 'moving':
    case 'trouble':
      return new vscode.ThemeColor(TONE_MARKS[tone].colour);
    default:
      return undefined;
  }
}

const CHILDREN = {
  none: vscode.TreeItemCollapsibleState.None,
  closed: vscode.TreeItemCollapsibleState.Collapsed,
  open: vscode.TreeItemCollapsibleState.Expanded,
};
