export { accountKey, type ListedAccount, partiesKey } from './account-list.ts';
export {
  type AccountStores,
  databricksKey,
  memoryAccountStores,
  openedAccountStores,
} from './account-stores.ts';
export {
  Accounts,
  type AccountsOptions,
  type KnownAccount,
  type Seat,
  sessionUnreadable,
} from './accounts.ts';
export {
  type AuthorizationCodeOptions,
  signInWithAuthorizationCode,
  type Who,
} from './authorization-code.ts';
export type { BrowserOptions, Callback } from './browser-answer.ts';
export { type CallbackPlace, startCallbackServer } from './callback-server.ts';
export { cancellable } from './cancellation.ts';
export type { IdentityConfiguration } from './configuration.ts';
export { credentialReturn } from './credential-return.ts';
export {
  assertIsPerson,
  databricksCallbackPlace,
  type ExpectedPerson,
  signInToDatabricks,
  signInWorkspaceAt,
} from './databricks-sign-in.ts';
export {
  createDatabricksSignIns,
  type DatabricksSignIns,
  type DatabricksSignInsOptions,
  type SignInWorkspace,
} from './databricks-sign-ins.ts';
export { signInWithDeviceCode, type DeviceCodeOptions, type DeviceCodePrompt } from './device-code.ts';
export {
  discoverIdentityProvider,
  type DiscoveredIdentityProvider,
  type DiscoveryOptions,
} from './discovery.ts';
export { notSignedIn, sessionExpired } from './failures.ts';
export {
  type Keychain,
  keychainLock,
  type KeychainSessions,
  openKeychainSessions,
  watchKeychainSessions,
} from './keychain.ts';
export { type LastUse, lastUseHere, lastUseIn } from './last-use.ts';
export { signInWithLoopback, type LoopbackOptions } from './loopback.ts';
export { type LockedAccounts, moveAccounts } from './move-accounts.ts';
export { revokeSession } from './refresh.ts';
export { fileRefreshLock, processRefreshLock, type RefreshLock } from './refresh-lock.ts';
export { type SessionKeeper, type SessionKeeperOptions } from './session-keeper.ts';
export { createSessionKeeper } from './keep-session.ts';
export type { SessionState } from './session-state.ts';
export { overLimit, refuseOldSignIn } from './session-limits.ts';
export {
  ensureSealingKey,
  sealedAccountStores,
  sealedSessionStore,
  type SealedSessionOptions,
  type Secrets,
} from './sealed-session-store.ts';
export { stateFolder } from './state-folder.ts';
export { assertTwoAudiences, readClaims } from './tokens.ts';
export {
  memorySessionStore,
  principalOf,
  type Session,
  type SessionStore,
  type SubjectToken,
} from './session.ts';
