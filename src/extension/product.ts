/** The names that the manifest and the code share. A test holds them together. */
export const EXTENSION = 'databricksMlOam';

/** The id under which VS Code knows the extension, in addresses too. */
export const EXTENSION_ID = 'databricks-ml-oam.databricks-ml-oam';

/** The output channel, the account menu and notifications show this name. */
export const PRODUCT = 'Databricks ML OAM';

/** Every command, without the prefix. */
export const COMMANDS = [
  'signIn',
  'signInWithCode',
  'signInToDatabricks',
  'switchAccount',
  'signOut',
  'requestAccess',
  'findRole',
  'cancelRequest',
  'extendAccess',
  'returnAccess',
  'openTerminalAs',
  'showRequest',
  'approve',
  'deny',
  'revoke',
  'review',
  'showTimeline',
  'exportTeam',
  'searchAudit',
  'clearAuditSearch',
  'moreAuditRows',
  'showAuditRow',
  'followGrant',
  'verifyAudit',
  'exportAudit',
  'useInFolder',
  'whoAmI',
  'stopInFolder',
  'showInNotebooks',
  'filterAccess',
  'clearFilter',
  'copyName',
  'openInDatabricks',
  'refresh',
  'diagnose',
  'showLog',
] as const;

/** One of {@link COMMANDS}. */
export type Command = (typeof COMMANDS)[number];

/** The id under which VS Code knows a command. */
export function commandId(command: Command): string {
  return `${EXTENSION}.${command}`;
}

/** Views of the side bar. */
export const ACCESS_VIEW = `${EXTENSION}.access`;
export const APPROVALS_VIEW = `${EXTENSION}.approvals`;
export const TEAM_VIEW = `${EXTENSION}.team`;
export const AUDIT_VIEW = `${EXTENSION}.audit`;

/** What the side bar shows; the value of the context key {@link VIEW_CONTEXT}, which picks the welcome text. */
export const VIEW_STATES = [
  'starting',
  'notConfigured',
  'badAddress',
  'signedOut',
  'expired',
  'unreachable',
  'signedIn',
] as const;

/** One of {@link VIEW_STATES}. */
export type ViewState = (typeof VIEW_STATES)[number];

/** The context key of {@link ViewState}. */
export const VIEW_CONTEXT = `${EXTENSION}.view`;

/**
 * The context keys that are true while a view of somebody who is signed in has no line. VS Code draws lines later than
 * it learns who is signed in, and would say meanwhile of anybody that they hold nothing.
 */
export const ACCESS_EMPTY_CONTEXT = `${EXTENSION}.accessEmpty`;
export const APPROVALS_EMPTY_CONTEXT = `${EXTENSION}.approvalsEmpty`;
export const TEAM_EMPTY_CONTEXT = `${EXTENSION}.teamEmpty`;

/** The context key that is true while the view "My Access" shows only what matches a search. */
export const FILTERED_CONTEXT = `${EXTENSION}.filtered`;

/** The context key that is true for somebody whose word others may wait for: the view "Approvals" is theirs. */
export const APPROVES_CONTEXT = `${EXTENSION}.approves`;

/** The context key that is true for somebody whom policy lets read the audit trail: the view "Audit" is theirs. */
export const AUDITS_CONTEXT = `${EXTENSION}.audits`;

/** The context key that is true while the view "Audit" shows what was searched for. */
export const AUDIT_SEARCHED_CONTEXT = `${EXTENSION}.auditSearched`;

/** The context key that is true for somebody who leads a team: the view "Team" is theirs. */
export const LEADS_CONTEXT = `${EXTENSION}.leads`;

/** How many pages of VS Code's own were opened. */
export const PAGES_CONTEXT = `${EXTENSION}.pages`;

/** The context key that is true while a command runs: its buttons are grey meanwhile. */
export function inFlightContext(command: Command): string {
  return `${EXTENSION}.inFlight.${command}`;
}

/** Settings of scope `application`: a workspace cannot choose whom to trust. */
export const CONTROL_PLANE_URL = 'controlPlaneUrl';
export const TRUSTED_WORKSPACE_HOSTS = 'trustedWorkspaceHosts';
export const SIGN_IN_FLOW = 'signInFlow';

/** Of scope `machine`: each machine that VS Code works on has a keychain of its own, or none. */
export const USE_KEYCHAIN = 'useKeychain';

/** Of each folder: whether MLflow is pointed to its workspace. */
export const MLFLOW = 'mlflowTracking';

/** Where the bundle has the folder that Python imports the helper of notebook kernels from. */
export const NOTEBOOK_HELPER = ['dist', 'extension', 'notebook'] as const;

/** The setting whether an approver is told of each request that comes. */
export const APPROVAL_NOTICES = 'approvalNotifications';

/** The scheme of documents that show what was so when they were made. */
export const SNAPSHOT_SCHEME = 'databricks-ml-oam-snapshot';

/** The scheme of documents that show a request. */
export const REQUEST_SCHEME = 'databricks-ml-oam-request';
/** Preferences: what is convenient, and trusts nobody. */
export const PURPOSE_TEMPLATES = 'purposeTemplates';
export const OFFER_ON_DENIAL = 'offerAccessWhenDenied';
