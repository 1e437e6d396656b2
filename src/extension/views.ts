import * as vscode from 'vscode';

import { areFactsFresh } from '../domain/freshness.ts';
import { SECOND_MS } from '../domain/time.ts';
import { type AccessData, approves, isOpenRequest, leadsTeam } from './access-view/access-data.ts';
import type { AccessFilter } from './access-view/access-filter.ts';
import type { AccessNode } from './access-view/access-nodes.ts';
import { AccessTree } from './access-view/access-tree.ts';
import { LineMarks } from './access-view/line-marks.ts';
import { grantTone } from './access-view/node-words.ts';
import { ApprovalTree } from './approvals/approval-tree.ts';
import { KnownApprovers } from './approvals/known-approvers.ts';
import { stateWords } from './approvals/request-link.ts';
import { Changes } from './changes.ts';
import { errorWords } from './commands/error-words.ts';
import type { Container } from './container.ts';
import { personOf } from './injection/person.ts';
import { LateView } from './late-view.ts';
import {
  ACCESS_EMPTY_CONTEXT,
  ACCESS_VIEW,
  APPROVALS_EMPTY_CONTEXT,
  APPROVALS_VIEW,
  APPROVES_CONTEXT,
  FILTERED_CONTEXT,
  AUDITS_CONTEXT,
  LEADS_CONTEXT,
  VIEW_CONTEXT,
  type ViewState,
} from './product.ts';
import { momentWords } from './time-words.ts';

/** What the rest of the extension asks of the views. */
export interface Views extends vscode.Disposable {
  redraw(): void;
  /** Draws again what says how much time is left. */
  redrawTimes(): void;
  /** What "My Access" is narrowed to. */
  filter: AccessFilter;
  /** The line of "My Access" that is selected. */
  selected(): AccessNode | undefined;
  /** The line of "My Access" that a command was called on; undefined for what is none. */
  lineOf(argument: unknown): AccessNode | undefined;
  /** Shows a request that waits for the person; nothing where none of that id does. */
  revealRequest(id: string): Promise<void>;
}

/** How long the status bar says that somebody else was faster. */
const HANDLED_SHOWN_MS = 10 * SECOND_MS;

/** The views of the side bar and what they say when they are empty. */
export function createViews(container: Container): Views {
  const { clock, connection, handled, later, logger, model, team, watching } = container;
  const approvers = new KnownApprovers(container.memento);
  const marks = new LineMarks();
  const accessTree = new AccessTree({ connection, model, clock, logger, marks, later });
  const approvalTree = new ApprovalTree(model, handled, clock);
  const access = vscode.window.createTreeView(ACCESS_VIEW, {
    treeDataProvider: accessTree,
    showCollapseAll: true,
  });
  const approvals = vscode.window.createTreeView(APPROVALS_VIEW, { treeDataProvider: approvalTree });
  const said = new Map<string, unknown>();
  let reading: PromiseWithResolvers<void> | undefined;

  const sayContext = (key: string, value: unknown): void => {
    if (said.get(key) === value) return;
    said.set(key, value);
    void vscode.commands.executeCommand('setContext', key, value);
  };

  /** A bar that moves above the view while there is nothing to show yet. */
  const showReading = (isReading: boolean): void => {
    if (!isReading) {
      reading?.resolve();
      reading = undefined;
    } else if (reading === undefined) {
      const { promise } = (reading = Promise.withResolvers<void>());
      void vscode.window.withProgress({ location: { viewId: ACCESS_VIEW } }, () => promise);
    }
  };

  const showEnding = (): void => {
    const nowMs = clock.nowMs();
    const ending = (model.data?.grants ?? []).filter(
      (grant) => grantTone(grant, nowMs) === 'endsSoon',
    ).length;
    access.badge =
      ending === 0
        ? undefined
        : {
            value: ending,
            tooltip:
              ending === 1
                ? vscode.l10n.t('Something you hold ends within 15 minutes')
                : vscode.l10n.t('{0} things you hold end within 15 minutes', ending),
          };
  };

  const watch = (view: vscode.TreeView<unknown>, id: string): vscode.Disposable => {
    const look = (isVisible: boolean): void => {
      if (isVisible) watching.add(id);
      else watching.delete(id);
      model.attentionChanged();
    };
    look(view.visible);
    return view.onDidChangeVisibility(({ visible }) => look(visible));
  };

  const timesRedrawn = new Changes<void>();
  const teamView = new LateView(LEADS_CONTEXT, async () => {
    const { createTeamView } = await import('./team/team-view.ts');
    return createTeamView({ team, clock, watch, onTimes: timesRedrawn.on });
  });
  const auditView = new LateView(AUDITS_CONTEXT, async () => {
    const { createAuditView } = await import('./audit/audit-view.ts');
    return createAuditView({ model, trail: container.auditTrail, clock });
  });

  const redraw = (): void => {
    const state = viewState(container);
    sayContext(ACCESS_EMPTY_CONTEXT, accessTree.isEmpty);
    sayContext(APPROVALS_EMPTY_CONTEXT, approvalTree.isEmpty);
    sayContext(VIEW_CONTEXT, state);
    sayContext(APPROVES_CONTEXT, isApprover(container, approvers));
    const me = model.data?.me;
    teamView.showIf(me !== undefined && leadsTeam(me));
    auditView.showIf(me?.readsAudit === true);
    const signedIn = connection.state.kind === 'signedIn' ? connection.state : undefined;
    access.description = signedIn?.session.userName ?? '';
    access.message = messageOf(container, accessTree.filter);
    showEnding();
    showReading(state === 'starting');
    approvals.message = approvalsMessage(container);
    const waiting = (model.data?.toApprove.length ?? 0) + (model.data?.toReview.length ?? 0);
    approvals.badge =
      waiting === 0
        ? undefined
        : {
            value: waiting,
            tooltip:
              waiting === 1
                ? vscode.l10n.t('1 request waits for your approval')
                : vscode.l10n.t('{0} requests wait for your approval', waiting),
          };
    accessTree.redraw();
    approvalTree.redraw();
  };

  const parts = vscode.Disposable.from(
    watch(access, ACCESS_VIEW),
    watch(approvals, APPROVALS_VIEW),
    connection.onDidChange(redraw),
    model.onDidChange(redraw),
    handled.onDidHandle((request) => {
      redraw();
      vscode.window.setStatusBarMessage(stateWords(vscode.l10n, request), HANDLED_SHOWN_MS);
    }),
    vscode.window.registerFileDecorationProvider(marks),
    marks,
    access,
    approvals,
    accessTree,
    approvalTree,
    teamView,
    auditView,
    timesRedrawn,
  );
  redraw();
  const revealRequest = async (id: string): Promise<void> => {
    const request = model.data?.toApprove.find((candidate) => candidate.id === id);
    if (request === undefined) return;
    await vscode.commands.executeCommand(`${APPROVALS_VIEW}.focus`);
    await approvals.reveal({ kind: 'toApprove', request }, { select: true, focus: true });
  };
  return {
    redraw,
    redrawTimes() {
      showEnding();
      accessTree.redrawTimes();
      approvalTree.redrawTimes();
      timesRedrawn.fire();
    },
    get filter() {
      return accessTree.filter;
    },
    set filter(filter) {
      accessTree.setFilter(filter);
      access.message = messageOf(container, filter);
      void vscode.commands.executeCommand('setContext', FILTERED_CONTEXT, !filter.isEmpty);
    },
    selected: () => access.selection[0],
    lineOf: (argument) => accessTree.lineOf(argument),
    revealRequest,
    dispose() {
      reading?.resolve();
      parts.dispose();
    },
  };
}

function viewState({ connection, model }: Container): ViewState {
  switch (connection.state.kind) {
    case 'notConfigured':
      return connection.state.error === undefined ? 'notConfigured' : 'badAddress';
    case 'starting':
      return 'starting';
    case 'signedOut':
      return connection.state.expired ? 'expired' : 'signedOut';
    case 'signedIn':
      switch (model.state.kind) {
        case 'unknown':
          return 'starting';
        case 'failed':
          return 'unreachable';
        case 'known':
          return 'signedIn';
      }
  }
}

/** True for whom others wait for, and for whom they did last while nothing is read yet: it is not to look as if nobody did. */
function isApprover({ connection, model }: Container, known: KnownApprovers): boolean {
  const person = personOf(connection.state);
  if (person.kind !== 'signedIn') return false;
  if (model.data === undefined) return known.knows(person.principal);
  const mayApprove = approves(model.data);
  known.learn(person.principal, mayApprove);
  return mayApprove;
}

/** What to say above the tree. None above an empty one: VS Code would hide the welcome. */
function messageOf(container: Container, filter: AccessFilter): string {
  const { connection, model } = container;
  // Welcomes are shown only once VS Code has restored its editors; what is said here, at once.
  if (viewState(container) === 'starting') return vscode.l10n.t('Reading what you hold…');
  if (connection.state.kind !== 'signedIn' || model.state.kind !== 'known') return '';
  return [
    outdatedWords(container),
    ...(isNothingOpen(model.state.data)
      ? [
          vscode.l10n.t(
            'You hold nothing for a time, and no role is offered to you. Ask your team lead whether your groups are set up.',
          ),
        ]
      : []),
    ...(filter.isEmpty ? [] : [vscode.l10n.t('Shown is only what matches “{0}”.', filter.text)]),
  ]
    .filter((words) => words !== '')
    .join(' ');
}

function isNothingOpen({ roles, requests, grants }: AccessData): boolean {
  return roles.length + grants.length === 0 && !requests.some(isOpenRequest);
}

/** What to say above the requests that wait. */
function approvalsMessage(container: Container): string {
  if (viewState(container) === 'starting') return vscode.l10n.t('Reading what waits for your approval…');
  return [outdatedWords(container), staleWords(container)].filter((words) => words !== '').join(' ');
}

/** Why what is shown may not be so any more. */
function outdatedWords({ model: { state } }: Container): string {
  if (state.kind !== 'known' || state.stale === undefined) return '';
  return vscode.l10n.t('Not up to date. {0}', errorWords(vscode.l10n, state.stale).message);
}

/** An approver's word counts only on fresh facts: it is said before they decide, not after. */
function staleWords({ clock, model }: Container): string {
  const me = model.data?.me;
  if (me === undefined) return '';
  const seenAtMs = Date.parse(me.seenAt);
  if (areFactsFresh({ seenAtMs }, clock.nowMs())) return '';
  return vscode.l10n.t(
    'Sign in to approve: your team was last confirmed {0}.',
    momentWords(vscode.env.language, seenAtMs, clock.nowMs()),
  );
}
