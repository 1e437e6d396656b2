import * as vscode from 'vscode';

import type { AccessModel } from '../access-view/access-model.ts';
import { errorWords } from '../commands/error-words.ts';
import type { Clock } from '../../domain/time.ts';
import { AUDIT_SEARCHED_CONTEXT, AUDIT_VIEW } from '../product.ts';
import type { AuditTrail } from './audit-trail.ts';
import { AuditTree } from './audit-tree.ts';
import { filterWords } from './audit-words.ts';

/** What {@link createAuditView} needs. */
export interface AuditViewParts {
  readonly model: Pick<AccessModel, 'data' | 'onDidChange'>;
  readonly trail: AuditTrail;
  readonly clock: Clock;
}

/** The view "Audit", for those whom policy lets read the trail. */
export function createAuditView({ model, trail, clock }: AuditViewParts): vscode.Disposable {
  const tree = new AuditTree(trail, clock);
  const view = vscode.window.createTreeView(AUDIT_VIEW, { treeDataProvider: tree });
  let isSearched: boolean | undefined;

  const redraw = (): void => {
    const words = filterWords(vscode.l10n, trail.filter);
    if (isSearched !== (words !== '')) {
      isSearched = words !== '';
      void vscode.commands.executeCommand('setContext', AUDIT_SEARCHED_CONTEXT, isSearched);
    }
    view.description = words;
    view.message = trail.state.kind === 'failed' ? errorWords(vscode.l10n, trail.state.error).message : '';
    tree.redraw();
  };

  const open = (): void => {
    if (!view.visible || model.data?.me.readsAudit !== true || trail.state.kind !== 'unread') return;
    void vscode.window.withProgress({ location: { viewId: AUDIT_VIEW } }, () => trail.open());
  };

  redraw();
  open();
  return vscode.Disposable.from(
    trail.onDidChange(() => {
      redraw();
      open();
    }),
    model.onDidChange(open),
    view.onDidChangeVisibility(open),
    view,
    tree,
  );
}
