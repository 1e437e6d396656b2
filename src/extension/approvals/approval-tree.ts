import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import { treeItem } from '../access-view/tree-item.ts';
import type { Reader } from '../reader.ts';
import { DrawnLines } from '../drawn-lines.ts';
import { commandId } from '../product.ts';
import { APPROVAL_SECTIONS, type ApprovalNode, type ApprovalSection } from './approval-nodes.ts';
import { approvalContextValue, approvalWords } from './approval-words.ts';
import type { HandledRequests } from './handled-requests.ts';

/** The view "Approvals": what waits for the person's word, and what others settled meanwhile. */
export class ApprovalTree implements vscode.TreeDataProvider<ApprovalNode>, vscode.Disposable {
  readonly #model: AccessModel;
  readonly #handled: Pick<HandledRequests, 'requests'>;
  readonly #clock: Clock;
  readonly #lines = new DrawnLines<ApprovalNode>(idOf);

  readonly onDidChangeTreeData = this.#lines.onDidChange;

  constructor(model: AccessModel, handled: Pick<HandledRequests, 'requests'>, clock: Clock) {
    this.#model = model;
    this.#handled = handled;
    this.#clock = clock;
  }

  /** Draws everything again, where there is something else to draw; what is open and selected stays. */
  redraw(): void {
    const { data } = this.#model;
    this.#lines.redraw([data?.toApprove, data?.toReview, this.#handled.requests]);
  }

  /** Draws again what says how long ago something was. */
  redrawTimes(): void {
    this.#lines.redrawLines(this.#lines.all.filter(({ kind }) => kind !== 'section'));
  }

  /** True where it is known that there is no line. */
  get isEmpty(): boolean {
    return this.#model.data !== undefined && this.getChildren().length === 0;
  }

  getChildren(node?: ApprovalNode): ApprovalNode[] {
    const { data } = this.#model;
    if (data === undefined) return [];
    if (node?.kind === 'section') return this.#rows(node.section);
    if (node !== undefined) return [];
    return [
      ...data.toApprove.map((request) => ({ kind: 'toApprove', request }) as const),
      ...APPROVAL_SECTIONS.flatMap((section) => this.#section(section)),
    ];
  }

  /** A line is shown by its way from the top. */
  getParent(node: ApprovalNode): ApprovalNode | undefined {
    const section = ((): ApprovalSection | undefined => {
      switch (node.kind) {
        case 'review':
          return 'reviews';
        case 'handled':
          return 'handled';
        case 'toApprove':
        case 'section':
          return undefined;
      }
    })();
    return section && this.#section(section)[0];
  }

  getTreeItem(node: ApprovalNode): vscode.TreeItem {
    const reader: Reader = { l10n: vscode.l10n, locale: vscode.env.language, nowMs: this.#clock.nowMs() };
    const item = treeItem({
      id: this.#lines.draw(node),
      words: approvalWords(reader, node),
      contextValue: approvalContextValue(node),
      children: node.kind !== 'section' ? 'none' : node.section === 'handled' ? 'closed' : 'open',
    });
    if (node.kind === 'toApprove' || node.kind === 'handled') {
      item.command = {
        command: commandId('showRequest'),
        title: vscode.l10n.t('Show Request'),
        arguments: [node],
      };
    }
    return item;
  }

  dispose(): void {
    this.#lines.dispose();
  }

  #section(section: ApprovalSection): ApprovalNode[] {
    const count = this.#rows(section).length;
    return count === 0 ? [] : [{ kind: 'section', section, count }];
  }

  #rows(section: ApprovalSection): ApprovalNode[] {
    const { data } = this.#model;
    switch (section) {
      case 'reviews':
        return (data?.toReview ?? []).map((grant) => ({ kind: 'review', grant }));
      case 'handled':
        return this.#handled.requests.map((request) => ({ kind: 'handled', request }));
    }
  }
}

function idOf(node: ApprovalNode): string {
  switch (node.kind) {
    case 'section':
      return node.section;
    case 'toApprove':
    case 'handled':
      return `${node.kind}/${node.request.id}`;
    case 'review':
      return `${node.kind}/${node.grant.id}`;
  }
}
