import * as vscode from 'vscode';

import type { Clock } from '../../domain/time.ts';
import type { Stoppable } from '../changes.ts';
import { errorWords } from '../commands/error-words.ts';
import { TEAM_VIEW } from '../product.ts';
import type { TeamModel } from './team-model.ts';
import { TeamTree } from './team-tree.ts';

/** What {@link createTeamView} needs. */
export interface TeamViewParts {
  readonly team: TeamModel;
  readonly clock: Clock;
  /** Lets the rest of the extension know whether somebody looks. */
  readonly watch: (view: vscode.TreeView<unknown>, id: string) => vscode.Disposable;
  /** Fires when minutes have passed, so that what is left is drawn anew. */
  readonly onRedraw: (listener: () => void) => Stoppable;
}

/** The view "Team", for leads. */
export function createTeamView({ team, clock, watch, onRedraw }: TeamViewParts): vscode.Disposable {
  const tree = new TeamTree(team, clock);
  const view = vscode.window.createTreeView(TEAM_VIEW, { treeDataProvider: tree, showCollapseAll: true });
  const redraw = (): void => {
    view.message = troubleOf(team);
    tree.redraw();
  };
  const look = (): void => team.watched('view', view.visible);
  look();
  redraw();
  return vscode.Disposable.from(
    watch(view, TEAM_VIEW),
    view.onDidChangeVisibility(look),
    team.onDidChange(redraw),
    onRedraw(redraw),
    view,
    tree,
  );
}

/** A line above the team, where it could not be read. */
function troubleOf({ state }: TeamModel): string {
  if (state.kind === 'failed') return errorWords(vscode.l10n, state.error).message;
  return state.kind === 'known' && state.stale !== undefined
    ? vscode.l10n.t('Not up to date. {0}', errorWords(vscode.l10n, state.stale).message)
    : '';
}
