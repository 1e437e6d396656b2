import type { Socket } from 'node:net';

import type { UidOf } from './peer.ts';
import type { BrokerRefusal } from './refusal.ts';

/** Lets programs of the same user pass. */
export interface PeerCheck {
  /** True where the connection has been looked up and is ours: whose it is does not change while it lasts. */
  isKnown(socket: Socket): boolean;
  /** Why the other end of a connection gets nothing, or undefined. */
  refuse(socket: Socket): Promise<BrokerRefusal | undefined>;
}

const STRANGER: BrokerRefusal = {
  code: 'other_user',
  status: 403,
  sentence: 'The broker answers only programs of the same user.',
};

/** Looks up whose a connection is, once for each. Without a way to look it up everybody passes. */
export function createPeerCheck(uidOf: UidOf | undefined): PeerCheck {
  const known = new WeakSet<Socket>();
  return {
    isKnown: (socket) => uidOf === undefined || known.has(socket),
    async refuse(socket) {
      if (uidOf === undefined || known.has(socket)) return undefined;
      const { remoteAddress = '', remotePort = 0, localPort = 0 } = socket;
      try {
        const uid = await uidOf({ remoteAddress, remotePort, localPort });
        if (uid === undefined || uid !== process.geteuid?.()) return STRANGER;
        known.add(socket);
        return undefined;
      } catch (error) {
        return {
          code: 'peer_unknown',
          status: 403,
          sentence:
            'The system does not show whose program is asking, so it got no token. Make /proc readable.',
          ...(error instanceof Error && { detail: error.message }),
        };
      }
    },
  };
}
