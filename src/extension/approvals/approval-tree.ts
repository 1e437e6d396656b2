import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { GrantView, RequestView } from '../../protocol/schemas.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import { treeItem } from '../access-view/tree-item.ts';
import type { Reader } from '../access-view/node-words.ts';
import { approvalContextValue, approvalWords } from './approval-words.ts';

/** A line of the view "Approvals". */
export type ApprovalNode =
  | { readonly kind: 'toApprove'; readonly request: RequestView }
  | { readonly kind: 'team'; readonly count: number }
  | { readonly kind: 'teamGrant'; readonly grant: GrantView };

/** The view "Approvals": what waits for the person's word, and the access of the teams that they lead. */
export class ApprovalTree implements vscode.TreeDataProvider<ApprovalNode>, vscode.Disposable {
  readonly #model: AccessModel;
  readonly #clock: Clock;
  readonly #changed = new vscode.EventEmitter<ApprovalNode | undefined>();

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(model: AccessModel, clock: Clock) {
    this.#model = model;
    this.#clock = clock;
  }

  redraw(): void {
    this.#changed.fire(undefined);
  }

  getChildren(node?: ApprovalNode): ApprovalNode[] {
    const { data } = this.#model;
    if (data === undefined) return [];
    if (node?.kind === 'team') return data.teamGrants.map((grant) => ({ kind: 'teamGrant', grant }));
    if (node !== undefined) return [];
    const team: ApprovalNode[] =
      data.teamGrants.length === 0 ? [] : [{ kind: 'team', count: data.teamGrants.length }];
    return [...data.toApprove.map((request) => ({ kind: 'toApprove', request }) as const), ...team];
  }

  /** A line is shown by its way from the top. */
  getParent(node: ApprovalNode): ApprovalNode | undefined {
    const { data } = this.#model;
    return node.kind === 'teamGrant' && data !== undefined
      ? { kind: 'team', count: data.teamGrants.length }
      : undefined;
  }

  getTreeItem(node: ApprovalNode): vscode.TreeItem {
    const reader: Reader = { l10n: vscode.l10n, locale: vscode.env.language, nowMs: this.#clock.nowMs() };
    return treeItem({
      id: idOf(node),
      words: approvalWords(reader, node),
      contextValue: approvalContextValue(node),
      children: node.kind === 'team' ? 'open' : 'none',
    });
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

function idOf(node: ApprovalNode): string {
  switch (node.kind) {
    case 'toApprove':
      return `toApprove/${node.request.id}`;
    case 'team':
      return 'team';
    case 'teamGrant':
      return `teamGrant/${node.grant.id}`;
  }
}
