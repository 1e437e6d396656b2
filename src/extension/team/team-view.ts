import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { Stoppable } from '../changes.ts';
import { TEAM_EMPTY_CONTEXT, TEAM_VIEW } from '../product.ts';
import type { TeamModel } from './team-model.ts';
import { TeamTree } from './team-tree.ts';
import { teamMessage } from './team-words.ts';

/** What {@link createTeamView} needs. */
export interface TeamViewParts {
  readonly team: TeamModel;
  readonly clock: Clock;
  /** Lets the rest of the extension know whether somebody looks. */
  readonly watch: (view: vscode.TreeView<unknown>, id: string) => vscode.Disposable;
  /** Fires when minutes have passed, so that what is left is drawn anew. */
  readonly onTimes: (listener: () => void) => Stoppable;
}

/** The view "Team", for leads. */
export function createTeamView({ team, clock, watch, onTimes }: TeamViewParts): vscode.Disposable {
  const tree = new TeamTree(team, clock);
  const view = vscode.window.createTreeView(TEAM_VIEW, { treeDataProvider: tree, showCollapseAll: true });
  let reading: PromiseWithResolvers<void> | undefined;
  /** A bar that moves above the view while there is nothing to show yet. */
  const showReading = (): void => {
    if (team.state.kind !== 'unknown') {
      reading?.resolve();
      reading = undefined;
    } else if (reading === undefined) {
      const { promise } = (reading = Promise.withResolvers<void>());
      void vscode.window.withProgress({ location: { viewId: TEAM_VIEW } }, () => promise);
    }
  };
  const redraw = (): void => {
    view.message = teamMessage(vscode.l10n, team.state);
    showReading();
    const isEmpty = team.state.kind === 'known' && tree.getChildren().length === 0;
    void vscode.commands.executeCommand('setContext', TEAM_EMPTY_CONTEXT, isEmpty);
    tree.redraw();
  };
  const look = (): void => team.watched('view', view.visible);
  look();
  redraw();
  return vscode.Disposable.from(
    watch(view, TEAM_VIEW),
    view.onDidChangeVisibility(look),
    team.onDidChange(redraw),
    onTimes(() => tree.redrawTimes()),
    { dispose: () => reading?.resolve() },
    view,
    tree,
  );
}
