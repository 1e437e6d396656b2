import { createControlPlaneClient } from '../protocol/client.ts';
import type { HttpTransport } from '../protocol/transport.ts';
import type { Session } from './session.ts';

/**
 * Tells a control plane that a sign-in is over, so that it takes back at Databricks what it issued to it. To be told in
 * the last words of a session: its access token is still good.
 *
 * @throws {OamError} the transport's and the control plane's; what was issued then ends with its access.
 */
export function credentialReturn(options: {
  /** Origin of the control plane. */
  readonly baseUrl: string;
  readonly transport: HttpTransport;
}): (session: Session) => Promise<void> {
  return async ({ accessToken, signInId }) => {
    if (signInId === undefined) return;
    const client = createControlPlaneClient({
      ...options,
      accessToken: () => Promise.resolve(accessToken),
    });
    await client.call('returnCredentials', { body: { session: signInId } });
  };
}
