import * as vscode from 'vscode';

import type { HostTrust } from '../../databricks/index.ts';
import { CancelledError } from '../../domain/errors.ts';
import type { CommandTable } from '../commands/register.ts';
import { untrustedHost } from '../injection/folder-questions.ts';
import { AccessFilter, NO_FILTER } from './access-filter.ts';
import type { AccessNode } from './access-nodes.ts';
import { addressOf, nameOf } from './node-capabilities.ts';

/** The view that the commands are for. */
export interface LinesView {
  filter: AccessFilter;
  selected(): AccessNode | undefined;
  /** The line that a command was called on; undefined for what is none of the view's. */
  lineOf(argument: unknown): AccessNode | undefined;
}

/** What can be done with the lines of "My Access" without asking anybody. */
export function lineCommands(
  view: LinesView,
  trust: () => HostTrust,
): Pick<CommandTable, 'filterAccess' | 'clearFilter' | 'copyName' | 'openInDatabricks'> {
  /** What a command was called on: a line, or from the keyboard and the palette the selected one. */
  const of = <T>(argument: unknown, part: (node: AccessNode) => T | undefined): T => {
    const node = view.lineOf(argument) ?? view.selected();
    const found = node === undefined ? undefined : part(node);
    if (found !== undefined) return found;
    void vscode.window.showInformationMessage(
      vscode.l10n.t('Select a line of “My Access” first that stands for something on Databricks.'),
    );
    throw new CancelledError();
  };

  return {
    async filterAccess() {
      const filter = await askForFilter(view);
      view.filter = filter;
    },
    clearFilter() {
      view.filter = NO_FILTER;
      return Promise.resolve();
    },
    async copyName(argument) {
      const name = of(argument, nameOf);
      await vscode.env.clipboard.writeText(name);
      vscode.window.setStatusBarMessage(vscode.l10n.t('Copied: {0}', name), 5_000);
    },
    async openInDatabricks(argument) {
      const address = of(argument, addressOf);
      const host = new URL(address).origin;
      if (!trust().isTrusted(host)) throw untrustedHost(host);
      await vscode.env.openExternal(vscode.Uri.parse(address, true));
    },
  };
}

/** Lets a person type what they look for; the tree follows as they type. */
function askForFilter(view: LinesView): Promise<AccessFilter> {
  const before = view.filter;
  const input = vscode.window.createInputBox();
  input.title = vscode.l10n.t('Search My Access');
  input.prompt = vscode.l10n.t(
    'Names of roles and assets, rights, teams. Enter keeps what is shown, Escape goes back.',
  );
  input.placeholder = 'prod.recsys';
  input.value = before.text;
  input.ignoreFocusOut = true;
  return new Promise((resolve) => {
    let kept = before;
    let typing: ReturnType<typeof setTimeout> | undefined;
    input.onDidChangeValue((text) => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        view.filter = new AccessFilter(text);
      }, TYPING_MS);
    });
    input.onDidAccept(() => {
      kept = new AccessFilter(input.value);
      input.hide();
    });
    input.onDidHide(() => {
      clearTimeout(typing);
      input.dispose();
      resolve(kept);
    });
    input.show();
  });
}

/** Whoever types on is not interrupted by a tree that moves, in milliseconds. */
const TYPING_MS = 200;
