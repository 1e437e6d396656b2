import * as path from 'node:path';

import * as vscode from 'vscode';

import { type PersonTokenOptions, personTokenSource, type Refusal, startBroker } from '../broker/index.ts';
import { type HostTrust, hostTrust, trustAmong } from '../databricks/index.ts';
import { OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { PrincipalKey } from '../domain/principal.ts';
import { createRedactor } from '../domain/redaction.ts';
import { type Clock } from '../domain/time.ts';
import { notSignedIn, stateFolder } from '../identity/index.ts';
import type { ControlPlaneClient } from '../protocol/client.ts';
import { axiosStream, axiosTransport } from '../protocol/transport.ts';
import { AccessModel } from './access-view/access-model.ts';
import { AuditTrail } from './audit/audit-trail.ts';
import type { WorkspaceRef } from './access-view/access-nodes.ts';
import { Arrivals } from './approvals/arrivals.ts';
import { HandledRequests } from './approvals/handled-requests.ts';
import { RequestDocuments } from './approvals/request-documents.ts';
import type { Stoppable } from './changes.ts';
import { editorSessions, type EditorSessions } from './authentication/editor-sessions.ts';
import { machineKey } from './authentication/secret-session-store.ts';
import { tellNoKeychain } from './authentication/no-keychain.ts';
import { ownSessions } from './authentication/own-sessions.ts';
import { SignIn } from './authentication/sign-in.ts';
import { DatabricksSignIn } from './authentication/databricks-sign-in.ts';
import { readWantedFlow } from './authentication/sign-in-flow.ts';
import { UriCallbacks } from './authentication/uri-callbacks.ts';
import { showError } from './commands/show-error.ts';
import { tellNowAndThen } from './commands/tell-now-and-then.ts';
import { confirmTrustChange } from './connection/consent.ts';
import { Connection } from './connection/connection.ts';
import { OwnSignIns } from './connection/own-sign-ins.ts';
import { KeepFresh } from './connection/keep-fresh.ts';
import { SessionLimitWatch } from './connection/session-limits.ts';
import { PinBoard, type PinMemento } from './connection/pinned-trust.ts';
import { showExpiry } from './expiry/expiry-notification.ts';
import { ExpiryWatch } from './expiry/expiry-watch.ts';
import { WindowClaims } from './expiry/window-claims.ts';
import {
  alreadySetIn,
  editorFolders,
  folderSetting,
  placesToLook,
  terminalTargets,
} from './injection/editor-folders.ts';
import { folderFindings } from './diagnose/folder-findings.ts';
import { type Folder, FolderInjection } from './injection/folder-injection.ts';
import { FolderMemory } from './injection/folder-memory.ts';
import { FolderQuestions } from './injection/folder-questions.ts';
import { mlflowTracking, type MlflowTracking, readMlflowChoice } from './injection/mlflow-tracking.ts';
import { personOf } from './injection/person.ts';
import { processTarget } from './injection/pointer-target.ts';
import { RolePaths } from './injection/role-paths.ts';
import { RoleTerminals } from './injection/role-terminal.ts';
import { RequestMemory } from './requests/request-memory.ts';
import { WindowBroker } from './injection/window-broker.ts';
import { KernelBoards } from './kernels/kernel-boards.ts';
import { isNotebookOpen } from './kernels/running-kernels.ts';
import { createChannelLogger } from './logging/log-channel.ts';
import {
  CONTROL_PLANE_URL,
  EXTENSION,
  EXTENSION_ID,
  MLFLOW,
  NOTEBOOK_HELPER,
  PRODUCT,
  SIGN_IN_FLOW,
  TRUSTED_WORKSPACE_HOSTS,
  USE_KEYCHAIN,
} from './product.ts';
import { SnapshotDocuments } from './snapshot-documents.ts';
import { TeamModel } from './team/team-model.ts';

/** The parts of the extension, each made with what it needs. The only place that knows the concrete ones. */
export interface Container extends vscode.Disposable {
  readonly channel: vscode.LogOutputChannel;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly sessions: EditorSessions;
  readonly connection: Connection;
  readonly sessionLimits: SessionLimitWatch;
  readonly signIn: SignIn;
  readonly ownSignIns: OwnSignIns;
  readonly databricksSignIn: DatabricksSignIn;
  readonly uriCallbacks: UriCallbacks;
  readonly model: AccessModel;
  /** What others settled that waited for the person. */
  readonly handled: HandledRequests;
  readonly requestDocuments: RequestDocuments;
  /** What a lead sees of their teams. */
  readonly team: TeamModel;
  readonly auditTrail: AuditTrail;
  readonly snapshots: SnapshotDocuments;
  /** What VS Code keeps for the extension. */
  readonly memento: PinMemento;
  /** Where the extension's own files are. */
  readonly extensionUri: vscode.Uri;
  readonly injection: FolderInjection;
  readonly memory: FolderMemory;
  /** What the helpers in notebook kernels are told. */
  readonly boards: KernelBoards;
  /** What MLflow is given in a folder, and what of it the person set. */
  readonly mlflow: (folder: Folder) => MlflowTracking;
  readonly questions: FolderQuestions;
  readonly expiry: ExpiryWatch;
  readonly claims: WindowClaims;
  readonly rolePaths: RolePaths;
  readonly terminals: RoleTerminals;
  readonly trust: () => HostTrust;
  /** Does something later. */
  readonly later: (work: () => void, delayMs: number) => Stoppable;
  /** Tells the person of an error, but not of the same one again and again. */
  readonly tellOnce: (error: OamError) => void;
  /** Does something that nobody waits for, and tells the person where it fails. */
  readonly runAndTell: (work: () => Promise<void>) => void;
  /** What people said in their requests. */
  readonly requestMemory: RequestMemory;
  /** The workspaces that the control plane names. */
  readonly workspaces: () => readonly WorkspaceRef[];
  /** True while a view of ours can be seen. */
  readonly watching: Set<string>;
  /**
   * The control plane of whoever is signed in.
   *
   * @throws {OamError} `not_signed_in`.
   */
  readonly client: () => ControlPlaneClient;
  /** Looks at everything between the person and Databricks, and shows what was found. */
  readonly diagnose: () => Promise<void>;
}

/** Makes the parts. Nothing is waited for and nothing is asked of the network. */
export function createContainer(context: vscode.ExtensionContext): Container {
  const inherited = { ...process.env };
  const clock: Clock = { nowMs: () => Date.now() };
  const redactor = createRedactor();
  const channel = vscode.window.createOutputChannel(PRODUCT, { log: true });
  const logger = createChannelLogger(channel, redactor);
  const transport = axiosTransport();
  const settings = vscode.workspace.getConfiguration.bind(vscode.workspace, EXTENSION);
  const trust = (): HostTrust => hostTrust(settings().get<string[]>(TRUSTED_WORKSPACE_HOSTS, []));
  const storage = context.globalStorageUri.fsPath;
  const machine = machineKey(storage);
  const watching = new Set<string>();
  const sessions = editorSessions({
    own: ownSessions(context, machine, logger),
    usesKeychain: () => settings().get<boolean>(USE_KEYCHAIN, false),
    keychainFolder: stateFolder(process.env),
    onNoKeychain: () => {
      runAndTell(() => tellNoKeychain(sessions, connection));
    },
  });

  const later = (work: () => void, delayMs: number): Stoppable => {
    const timer = setTimeout(work, delayMs);
    return { dispose: () => clearTimeout(timer) };
  };

  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  const connection = new Connection({
    trust,
    address: () => settings().get<string>(CONTROL_PLANE_URL, ''),
    pins: new PinBoard(context.globalState),
    stores: sessions.stores,
    lock: sessions.lock,
    transport,
    confirmChange: confirmTrustChange,
    clock,
    logger,
    redactor,
  });

  const keepFresh = new KeepFresh({ connection, clock, logger, later });
  const sessionLimits = new SessionLimitWatch({
    connection,
    lastUse: sessions.lastUse,
    isActive: () => vscode.window.state.active,
    ...{ clock, logger, later },
  });

  const uriCallbacks = new UriCallbacks({
    redirectUri: () => `${vscode.env.uriScheme}://${EXTENSION_ID}/callback`,
    secrets: context.secrets,
    clock,
    logger,
  });

  const signIn = new SignIn({
    connection,
    uriCallbacks,
    acted: () => sessionLimits.acted(),
    wantedFlow: () => readWantedFlow(settings().get(SIGN_IN_FLOW)),
    clock,
    logger,
  });

  const ownSignIns = new OwnSignIns({ connection, trust, transport, clock });
  const databricksSignIn = new DatabricksSignIn({
    ownSignIns,
    acted: () => sessionLimits.acted(),
    wantedFlow: () => readWantedFlow(settings().get(SIGN_IN_FLOW)),
  });

  const claims = new WindowClaims(path.join(storage, 'said'), clock);

  const client = (): ControlPlaneClient => {
    const { state } = connection;
    if (state.kind === 'signedIn') return state.client;
    throw notSignedIn();
  };

  const model = new AccessModel({
    connection,
    ownSignIn: (host) => ownSignIns.at(host),
    trust,
    transport,
    stream: axiosStream(),
    clock,
    logger,
    redactor,
    later,
    isWatched: () => watching.size > 0,
  });

  const handled = new HandledRequests({ model, client, logger });
  const requestDocuments = new RequestDocuments({ client, model, clock, logger });
  const team = new TeamModel({ model, client, logger });
  const auditTrail = new AuditTrail({ model, client, logger });
  const snapshots = new SnapshotDocuments();
  const arrivals = new Arrivals({ model, clock, later });
  const expiry = new ExpiryWatch({
    access: () => model.data,
    clock,
    claim: (what) => claims.claim(what),
    isFocused: () => vscode.window.state.focused,
    wait,
    show: (warnings) => {
      showExpiry(warnings, clock).catch((error: unknown) => void showError(error, logger));
    },
  });

  const tellOnce = tellNowAndThen(clock, (error) => void showError(error, logger));
  const onRefusal = (refusal: Refusal): void => {
    const detail = refusal.detail ?? vscode.l10n.t('a program got no token');
    tellOnce(new OamError(refusal.code, refusal.sentence, { detail }));
  };

  const broker = new WindowBroker({
    start: (port) => startBroker({ ...(port !== undefined && { port }), onRefusal, clock, logger, redactor }),
    wait,
    clock,
    onStranger: tellOnce,
  });

  const workspaces = () => connection.pinned?.workspaces ?? [];
  const signInAt = (host: string, principal: PrincipalKey): PersonTokenOptions => ({
    host,
    session: { subjectToken: (signal) => connection.subjectToken(signal) },
    ownSignIn: () => ownSignIns.at(host),
    trust: trustAmong(trust(), () => workspaces().map((workspace) => workspace.host)),
    transport,
    clock,
    redactor,
    principal,
  });

  const runAndTell = (work: () => Promise<void>): void => {
    work().catch((error: unknown) => void showError(error, logger));
  };

  const memory = new FolderMemory(context.globalState, context.workspaceState, machine);
  const mlflow = (folder: Folder): MlflowTracking =>
    mlflowTracking(readMlflowChoice(folderSetting(folder, MLFLOW)), placesToLook(folder, inherited));
  const boards = new KernelBoards({
    folder: path.join(storage, 'kernels'),
    helper: vscode.Uri.joinPath(context.extensionUri, ...NOTEBOOK_HELPER).fsPath,
    clock,
    isWatched: isNotebookOpen,
    access: () =>
      connection.state.kind === 'signedIn'
        ? { person: connection.state.session.userName, grants: model.data?.grants }
        : undefined,
  });
  const injection = new FolderInjection({
    folders: editorFolders,
    isTrusted: () => vscode.workspace.isTrusted,
    workspaces,
    alreadySet: (folder) => alreadySetIn(folder, inherited),
    beside: (folder) => mlflow(folder).environment,
    besideKernels: (host) => boards.environment(host),
    memory,
    terminals: terminalTargets(context.environmentVariableCollection),
    kernels: processTarget(process.env),
    broker: (wantedPort) => broker.ensure(wantedPort),
    source: (host, principal) => boards.telling(host, personTokenSource(signInAt(host, principal))),
    onRefusal: (refusal, host) => {
      boards.refused(host, refusal);
      onRefusal(refusal);
    },
    logger,
  });

  const questions = new FolderQuestions({
    injection,
    memory,
    isSignedIn: () => connection.state.kind === 'signedIn',
    workspaces,
    trust,
    logger,
  });

  const rolePaths = new RolePaths({
    broker: () => broker.ensure(),
    client,
    person: () => personOf(connection.state),
    signIn: signInAt,
    signInId: () => connection.accounts.find(({ isActing }) => isActing)?.session?.signInId,
    ...{ redactor, onRefusal },
  });
  const terminals = new RoleTerminals(rolePaths);

  const diagnose = async (): Promise<void> => {
    const { runDiagnose } = await import('./diagnose/run-diagnose.ts');
    await runDiagnose({
      address: () => settings().get<string>(CONTROL_PLANE_URL, ''),
      state: () => connection.state,
      place: () => sessions.place,
      pinned: () => connection.pinned,
      trust: trust(),
      source: (host, principal) => personTokenSource(signInAt(host, principal)),
      broker: () => broker.ensure(),
      folders: () => folderFindings(vscode.l10n, editorFolders(), injection),
      environment: inherited,
      ...{ transport, clock, redactor, snapshots },
    });
  };

  return {
    channel,
    logger,
    clock,
    sessions,
    connection,
    sessionLimits,
    signIn,
    ownSignIns,
    databricksSignIn,
    uriCallbacks,
    model,
    handled,
    requestDocuments,
    team,
    auditTrail,
    snapshots,
    memento: context.globalState,
    extensionUri: context.extensionUri,
    injection,
    boards,
    mlflow,
    memory,
    questions,
    expiry,
    claims,
    rolePaths,
    terminals,
    trust,
    later,
    tellOnce,
    runAndTell,
    requestMemory: new RequestMemory(context.globalState),
    workspaces,
    watching,
    client,
    diagnose,
    dispose() {
      questions.dispose();
      terminals.dispose();
      injection.dispose();
      boards.dispose();
      arrivals.dispose();
      handled.dispose();
      requestDocuments.dispose();
      team.dispose();
      auditTrail.dispose();
      snapshots.dispose();
      model.dispose();
      keepFresh.dispose();
      sessionLimits.dispose();
      connection.dispose();
      sessions.dispose();
      void broker.close();
      // Last, so that whatever the others say on their way is still written.
      channel.dispose();
    },
  };
}
