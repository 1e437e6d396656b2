import * as vscode from 'vscode';

import { SECOND_MS } from '../domain/time.ts';
import { sessionExpired } from '../identity/index.ts';
import { showNotice } from './access-view/notices.ts';
import { showError } from './commands/show-error.ts';
import type { Container } from './container.ts';
import type { ConnectionState } from './connection/connection.ts';
import { registerDebugPointers } from './debugging/debug-pointers.ts';
import { tellOfDatabricksExtension } from './injection/databricks-extension.ts';
import { editorFolders } from './injection/editor-folders.ts';
import { tellOfOwnMlflow } from './injection/own-mlflow.ts';
import { watchRunningKernels } from './kernels/running-kernels.ts';
import { personOf } from './injection/person.ts';
import { pageContext } from './page-context.ts';
import { CONTROL_PLANE_URL, EXTENSION, USE_KEYCHAIN } from './product.ts';
import { StatusBar } from './status-bar/status-bar.ts';
import { statusWords } from './status-bar/status-words.ts';
import type { Views } from './views.ts';

/** Minutes are shown, so they are looked at this often, while a grant lives. */
const TICK_MS = 15 * SECOND_MS;

/** The helpers in notebook kernels do not believe what is much older. */
const BOARDS_EVERY_MS = 30 * SECOND_MS;

/** Lets each part react to what happens in the others and in the editor. */
export function wireReactions(
  container: Container,
  context: vscode.ExtensionContext,
  views: Pick<Views, 'redrawTimes'>,
): vscode.Disposable {
  const {
    client,
    clock,
    connection,
    claims,
    expiry,
    injection,
    logger,
    memory,
    model,
    questions,
    rolePaths,
    sessionLimits,
    sessions,
    tellOnce,
    uriCallbacks,
  } = container;
  const statusBar = new StatusBar();

  const drawStatus = (): void => {
    const { state } = connection;
    const folders = editorFolders().map((folder) => injection.state(folder));
    const grants = model.data?.grants ?? [];
    statusBar.show(
      statusWords(vscode.l10n, state, folders, grants, clock.nowMs()),
      state.kind === 'signedOut',
    );
  };

  const ask = async (): Promise<void> => {
    await questions.askAll();
    const inUse = editorFolders().filter((folder) => injection.state(folder).kind === 'active');
    await tellOfDatabricksExtension(inUse, memory);
    await tellOfOwnMlflow(inUse, container.mlflow, memory);
  };

  const tick = setInterval(() => {
    if ((model.data?.grants.length ?? 0) === 0) return;
    views.redrawTimes();
    drawStatus();
    void expiry.look();
  }, TICK_MS);

  const beat = setInterval(() => container.boards.look(), BOARDS_EVERY_MS);

  const onConnection = async (state: ConnectionState): Promise<void> => {
    const person = personOf(state);
    // What is to end has ended before anything is drawn, asked or waited for.
    rolePaths.setPerson(person);
    const settled = injection.setPerson(person);
    drawStatus();
    container.boards.look();
    if (state.kind === 'signedOut' && state.expired) tellOnce(state.reason ?? sessionExpired());
    await settled;
    await ask();
  };

  const reconcile = async (): Promise<void> => {
    await injection.reconcile();
    await ask();
  };

  /** What a person sets by themselves wins, also from the moment on at which they write it down. */
  const dotenv = vscode.workspace.createFileSystemWatcher('**/.env');

  drawStatus();
  return vscode.Disposable.from(
    statusBar,
    dotenv,
    dotenv.onDidCreate(() => void reconcile()),
    dotenv.onDidChange(() => void reconcile()),
    dotenv.onDidDelete(() => void reconcile()),
    registerDebugPointers({ folders: editorFolders, injection, memory }),
    watchRunningKernels({ folders: editorFolders, injection, memory, logger }),
    { dispose: () => clearInterval(tick) },
    { dispose: () => clearInterval(beat) },
    vscode.workspace.onDidOpenNotebookDocument(() => container.boards.look()),
    connection.onDidChange((state) => void onConnection(state)),
    model.onDidChange(() => {
      if (model.data !== undefined) rolePaths.endAllBut(model.data.grants);
      drawStatus();
      container.boards.look();
      void expiry.look();
    }),
    injection.onDidChange(drawStatus),
    injection.onDidMove(({ folder, kernels }) => {
      void vscode.window.showWarningMessage(
        kernels && memory.mayChangeKernels(folder.uri) !== true
          ? vscode.l10n.t(
              'Terminals and notebook kernels of {0} that run already get no credentials any more. Restart the kernels and open new terminals.',
              folder.name,
            )
          : vscode.l10n.t(
              'Terminals of {0} that run already get no credentials any more. Open new ones.',
              folder.name,
            ),
      );
    }),
    model.onNotice((notice) => {
      showNotice(notice, { client: client(), clock, claims, roles: model.data?.roles ?? [] }).catch(
        (error: unknown) => {
          logger.warn('A notice could not be shown', { error: String(error) });
        },
      );
    }),
    vscode.window.onDidChangeWindowState(({ active }) => {
      if (active) sessionLimits.acted();
    }),
    pageContext(),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void reconcile()),
    vscode.workspace.onDidChangeWorkspaceFolders(() => void reconcile()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (
        event.affectsConfiguration(`${EXTENSION}.${CONTROL_PLANE_URL}`) ||
        event.affectsConfiguration(`${EXTENSION}.${USE_KEYCHAIN}`)
      ) {
        connection.start().catch((error: unknown) => void showError(error, logger));
      } else if (
        event.affectsConfiguration(EXTENSION) ||
        event.affectsConfiguration('terminal.integrated.env')
      ) {
        void reconcile();
      }
    }),
    context.secrets.onDidChange(({ key }) => {
      uriCallbacks.secretChanged(key).catch((error: unknown) => {
        logger.warn('An answer of the browser could not be read', { error: String(error) });
      });
    }),
    sessions.onDidChange(() => {
      connection.storeChanged().catch((error: unknown) => {
        logger.warn('The changed session could not be read', { error: String(error) });
      });
    }),
  );
}
