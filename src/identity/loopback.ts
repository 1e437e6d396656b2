import { type AuthorizationCodeOptions, signInWithAuthorizationCode } from './authorization-code.ts';
import { startCallbackServer } from './callback-server.ts';
import type { DiscoveredIdentityProvider } from './discovery.ts';
import type { Session } from './session.ts';

/** How to sign in through the browser of this machine. */
export type LoopbackOptions = Omit<AuthorizationCodeOptions, 'listen'>;

/**
 * Signs in through the browser, which comes back to 127.0.0.1 (RFC 8252 §7.3).
 *
 * @throws {OamError} those of {@link signInWithAuthorizationCode}, and `loopback_unavailable`.
 * @throws {CancelledError} when `signal` fired.
 */
export function signInWithLoopback(
  idp: DiscoveredIdentityProvider,
  options: LoopbackOptions,
): Promise<Session> {
  return signInWithAuthorizationCode(idp, { ...options, listen: startCallbackServer });
}
