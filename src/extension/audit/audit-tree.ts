import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { AuditRowView } from '../../protocol/audit.ts';
import type { Reader } from '../reader.ts';
import { treeItem } from '../access-view/tree-item.ts';
import { commandId } from '../product.ts';
import type { AuditTrail } from './audit-trail.ts';
import { rowWords } from './audit-words.ts';

/** A line of the view "Audit". */
export type AuditNode =
  | { readonly kind: 'row'; readonly row: AuditRowView }
  | { readonly kind: 'more' }
  | { readonly kind: 'none' };

/** The view "Audit": rows of the trail, the newest first. */
export class AuditTree implements vscode.TreeDataProvider<AuditNode>, vscode.Disposable {
  readonly #trail: AuditTrail;
  readonly #clock: Clock;
  readonly #changed = new vscode.EventEmitter<AuditNode | undefined>();

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(trail: AuditTrail, clock: Clock) {
    this.#trail = trail;
    this.#clock = clock;
  }

  redraw(): void {
    this.#changed.fire(undefined);
  }

  getChildren(node?: AuditNode): AuditNode[] {
    const { state } = this.#trail;
    if (node !== undefined || state.kind !== 'read') return [];
    if (state.rows.length === 0) return [{ kind: 'none' }];
    return [
      ...state.rows.map((row) => ({ kind: 'row', row }) as const),
      ...(state.nextCursor === null ? [] : [{ kind: 'more' } as const]),
    ];
  }

  getTreeItem(node: AuditNode): vscode.TreeItem {
    const { l10n } = vscode;
    const reader: Reader = { l10n, locale: vscode.env.language, nowMs: this.#clock.nowMs() };
    switch (node.kind) {
      case 'row': {
        const item = treeItem({
          id: node.row.id,
          words: rowWords(reader, node.row),
          contextValue: node.row.grantId === null ? 'auditRow' : 'auditRow.follow',
          children: 'none',
        });
        item.command = {
          command: commandId('showAuditRow'),
          title: l10n.t('Show Row'),
          arguments: [node],
        };
        return item;
      }
      case 'more': {
        const label = l10n.t('Show More');
        const meaning = l10n.t('Reads the rows before these');
        const item = treeItem({
          id: 'more',
          words: { label, description: undefined, icon: 'ellipsis', tooltip: [meaning], spoken: label },
          contextValue: 'more',
          children: 'none',
        });
        item.command = { command: commandId('moreAuditRows'), title: label };
        return item;
      }
      case 'none': {
        const label = l10n.t('No row meets all of it');
        const meaning = l10n.t('Search for less, or clear the search.');
        return treeItem({
          id: 'none',
          words: {
            label,
            description: undefined,
            icon: 'info',
            tooltip: [meaning],
            spoken: `${label}, ${meaning}`,
          },
          contextValue: 'none',
          children: 'none',
        });
      }
    }
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
