import type { TokenEndpointResponse } from 'openid-client';

import { cancellable } from './cancellation.ts';
import type { DiscoveredIdentityProvider } from './discovery.ts';
import { revokeSession } from './refresh.ts';

/**
 * Waits for the tokens of a sign-in for as long as somebody wants them. Tokens that come when it was called off are
 * for nobody: the provider is asked to forget them.
 *
 * @throws {CancelledError} when `signal` fired, whether the provider answers or not.
 */
export async function whileWanted(
  idp: DiscoveredIdentityProvider,
  granting: Promise<TokenEndpointResponse>,
  signal: AbortSignal | undefined,
): Promise<TokenEndpointResponse> {
  try {
    return await cancellable(granting, signal);
  } catch (error) {
    if (signal?.aborted) {
      granting.then(
        (late) => revokeSession(idp, { refreshToken: late.refresh_token }),
        () => undefined,
      );
    }
    throw error;
  }
}
