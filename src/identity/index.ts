export {
  type AuthorizationCodeOptions,
  type Callback,
  signInWithAuthorizationCode,
  type Who,
} from './authorization-code.ts';
export { cancellable } from './cancellation.ts';
export type { IdentityConfiguration } from './configuration.ts';
export { signInWithDeviceCode, type DeviceCodeOptions, type DeviceCodePrompt } from './device-code.ts';
export {
  discoverIdentityProvider,
  type DiscoveredIdentityProvider,
  type DiscoveryOptions,
} from './discovery.ts';
export { sessionExpired } from './failures.ts';
export { signInWithLoopback, type LoopbackOptions } from './loopback.ts';
export { revokeSession } from './refresh.ts';
export { fileRefreshLock, processRefreshLock, type RefreshLock } from './refresh-lock.ts';
export {
  createSessionKeeper,
  type SessionKeeper,
  type SessionKeeperOptions,
  type SessionState,
} from './session-keeper.ts';
export { assertTwoAudiences, readClaims } from './tokens.ts';
export {
  memorySessionStore,
  principalOf,
  type Session,
  type SessionStore,
  type SubjectToken,
} from './session.ts';
