import type { Stage } from '../../demo/stage/stage.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../src/protocol/client.ts';
import { axiosTransport } from '../../src/protocol/transport.ts';

/** Somebody whom the identity provider can vouch for. */
export interface Somebody {
  readonly sub: string;
  readonly userName: string;
  readonly displayName: string;
  readonly groups: readonly string[];
  readonly duty: string;
}

/** Somebody who works without a window, for what has to be there already. */
export function elsewhere({ identityProvider, controlPlane }: Stage, who: Somebody): ControlPlaneClient {
  const { sub, userName, displayName, groups, duty } = who;
  return createControlPlaneClient({
    baseUrl: controlPlane.url,
    transport: axiosTransport(),
    accessToken: () =>
      identityProvider.mint({ sub, preferred_username: userName, name: displayName, groups, duty }),
  });
}
