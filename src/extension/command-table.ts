import * as vscode from 'vscode';

import { CancelledError, OamError } from '../domain/errors.ts';
import { cancellable, notSignedIn } from '../identity/index.ts';
import { leadsTeam } from './access-view/access-data.ts';
import { lineCommands } from './access-view/line-commands.ts';
import { hasOwnTerminal } from './access-view/node-capabilities.ts';
import { switchAccount } from './authentication/switch-account.ts';
import { grantOf, hostOf, isAgain, refusalOf, requestOf, roleOf } from './commands/arguments.ts';
import { choose } from './commands/choose.ts';
import { signalOf, withCancellableProgress } from './commands/progress.ts';
import type { CommandTable } from './commands/register.ts';
import type { Container } from './container.ts';
import type { DenialListener } from './denials/watch-denials.ts';
import { isSignedInByDatabricks } from './injection/databricks-extension.ts';
import { editorFolders } from './injection/editor-folders.ts';
import type { Folder } from './injection/folder-injection.ts';
import { pickWorkspace } from './injection/folder-question.ts';
import { untrustedHost } from './injection/folder-questions.ts';
import { showPlaces } from './places/show-places.ts';
import { ACCESS_VIEW } from './product.ts';
import type { OwnAccess } from './requests/own-access.ts';
import { teamNow } from './team/team-now.ts';
import type { Views } from './views.ts';

/** What every command does. */
export function commandTable(
  container: Container,
  views: Views,
  own: OwnAccess,
  denials: DenialListener,
): CommandTable {
  const { channel, clock, client, connection, injection, logger, model, signIn, team, terminals, trust } =
    container;

  const decide = async () => {
    const { decisions } = await import('./approvals/decisions.ts');
    return decisions(client, model, () => teamNow(team), clock, logger);
  };

  const audit = async () => {
    const { auditCommands } = await import('./audit/audit-commands.ts');
    return auditCommands({
      trail: container.auditTrail,
      documents: container.snapshots,
      memento: container.memento,
      signedIn: () => {
        if (connection.state.kind === 'signedIn') return connection.state;
        throw notSignedIn();
      },
      clock,
    });
  };

  const chooseFolder = (): Promise<Folder> => {
    const folders = editorFolders();
    const only = folders.length === 1 ? folders[0] : undefined;
    if (only !== undefined) return Promise.resolve(only);
    return choose(
      folders,
      ({ name, uri }) => ({ label: name, detail: uri }),
      vscode.l10n.t('Which folder?'),
      vscode.l10n.t('Open a folder first.'),
    );
  };

  return {
    async signIn(argument) {
      const { state } = connection;
      const again = isAgain(argument) && state.kind === 'signedIn' ? state.session : undefined;
      const session = await signIn.run(again && { again });
      vscode.window.setStatusBarMessage(vscode.l10n.t('Signed in as {0}', session.userName), 5_000);
      await vscode.commands.executeCommand(`${ACCESS_VIEW}.focus`);
    },
    signInWithCode: () => signIn.runWithCode(),
    async signInToDatabricks(argument) {
      const host = hostOf(argument);
      const { workspaces } = container.ownSignIns;
      const named = workspaces.filter((workspace) => workspace.host === host);
      const [only, ...others] = named.length > 0 ? named : workspaces;
      const workspace =
        only !== undefined && others.length === 0
          ? only
          : await choose(
              workspaces,
              ({ name, ...at }) => ({ label: name, detail: at.host }),
              vscode.l10n.t('Sign in to Databricks in which workspace?'),
              vscode.l10n.t('None of your workspaces wants a sign-in of its own.'),
            );
      await container.databricksSignIn.run(workspace);
      vscode.window.setStatusBarMessage(
        vscode.l10n.t('Signed in to Databricks in {0}', workspace.name),
        5_000,
      );
      await model.reload();
    },
    async switchAccount() {
      const userName = await switchAccount(connection, signIn);
      vscode.window.setStatusBarMessage(vscode.l10n.t('You act as {0}', userName), 5_000);
    },
    async signOut() {
      await vscode.window.withProgress({ location: { viewId: ACCESS_VIEW } }, () => connection.signOut());
    },
    async requestAccess(argument) {
      const refusal = refusalOf(argument);
      if (refusal === undefined) await own.request(roleOf(argument));
      else denials.clicked(refusal);
    },
    async findRole(argument) {
      const line = views.lineOf(argument);
      await own.findRole(line?.kind === 'asset' ? line : undefined);
    },
    cancelRequest: (argument) => own.cancel(requestOf(argument)),
    extendAccess: (argument) => own.extend(grantOf(argument)),
    returnAccess: (argument) => own.giveBack(grantOf(argument)),
    async openTerminalAs(argument) {
      const grant =
        grantOf(argument) ??
        (await choose(
          (model.data?.grants ?? []).filter(hasOwnTerminal),
          ({ role, purpose }) => ({ label: role.title, detail: purpose }),
          vscode.l10n.t('As which role?'),
          vscode.l10n.t(
            'You hold no role that acts as a service of its own. Other roles work in every terminal.',
          ),
        ));
      await withCancellableProgress(vscode.l10n.t('Opening a terminal as {0}', grant.role.title), (signal) =>
        terminals.open(grant, signal),
      );
    },
    showRequest: async (argument) => (await decide()).show(requestOf(argument), container.requestDocuments),
    approve: async (argument) => (await decide()).approve(requestOf(argument)),
    deny: async (argument) => (await decide()).deny(requestOf(argument)),
    revoke: async (argument) => (await decide()).revoke(grantOf(argument)),
    async review(argument) {
      const { reviewAccess } = await import('./approvals/reviews.ts');
      await reviewAccess(client, model, grantOf(argument));
    },
    async showTimeline() {
      // A lead is shown that it is read, and why it cannot be; anybody else is told that they lead no team.
      if (model.data === undefined || !leadsTeam(model.data.me)) await teamNow(team);
      const { showTimeline } = await import('./team/timeline.ts');
      await showTimeline({ team, clock, extensionUri: container.extensionUri });
    },
    async exportTeam() {
      const { exportTeam } = await import('./team/export-team.ts');
      await exportTeam(team, clock);
    },
    searchAudit: async () => (await audit()).searchAudit(),
    clearAuditSearch: async () => (await audit()).clearAuditSearch(),
    moreAuditRows: async () => (await audit()).moreAuditRows(),
    showAuditRow: async (argument) => (await audit()).showAuditRow(argument),
    followGrant: async (argument) => (await audit()).followGrant(argument),
    verifyAudit: async () => (await audit()).verifyAudit(),
    exportAudit: async () => (await audit()).exportAudit(),
    async useInFolder() {
      const { pinned } = connection;
      if (pinned === undefined) throw notSignedIn();
      const folder = await chooseFolder();
      const workspace = await pickWorkspace(pinned.workspaces);
      if (workspace === undefined) throw new CancelledError();
      if (!trust().isTrusted(workspace.host)) throw untrustedHost(workspace.host);
      await withCancellableProgress(
        vscode.l10n.t('Pointing {0} to {1}', folder.name, workspace.name),
        // What has begun goes on: only the waiting is called off.
        (signal) => cancellable(injection.use(folder, workspace), signal),
      );
    },
    async stopInFolder() {
      const folder = await chooseFolder();
      await injection.stop(folder);
      void vscode.window.showInformationMessage(
        vscode.l10n.t(
          'OAM is no longer used in {0}. What runs there gets no new token from now on.',
          folder.name,
        ),
      );
    },
    async showInNotebooks() {
      const folder = await chooseFolder();
      if (injection.pointer(folder) === undefined) {
        throw new OamError('not_in_use', 'OAM is not in use in this folder. Use it there first.', {
          detail: folder.name,
        });
      }
      await container.memory.setMayChangeKernels(folder.uri, true);
      await injection.reconcile();
      void vscode.window.showInformationMessage(
        vscode.l10n.t(
          'Python kernels of {0} say below the cell what ends, and %oam shows what you hold. VS Code asks once whether OAM may run code in kernels.',
          folder.name,
        ),
      );
    },
    async whoAmI() {
      const { state } = connection;
      await showPlaces({
        userName: state.kind === 'signedIn' ? state.session.userName : undefined,
        folders: editorFolders().map((folder) => ({
          folder,
          state: injection.state(folder),
          atKernelStart: injection.kernelPointer() !== undefined,
          hasRival: isSignedInByDatabricks(folder),
        })),
        terminals: terminals.all(),
        grants: model.data?.grants ?? [],
        nowMs: clock.nowMs(),
      });
    },
    ...lineCommands(views, trust),
    async refresh() {
      if (connection.state.kind !== 'signedIn') {
        await connection.start();
        return;
      }
      await vscode.window.withProgress({ location: { viewId: ACCESS_VIEW } }, async (_progress, token) => {
        await Promise.all([model.reload(), team.read()]);
        // Asked after the person sees something; a change of whom they trust may take them a while to read.
        await connection.checkTrust(signalOf(token));
      });
    },
    diagnose: () => container.diagnose(),
    showLog() {
      channel.show();
      return Promise.resolve();
    },
  };
}
