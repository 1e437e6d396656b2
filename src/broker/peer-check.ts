import type { Socket } from 'node:net';

import type { UidOf } from './peer.ts';
import type { BrokerRefusal } from './refusal.ts';

/** So many connections of strangers are heard until they have asked for something; the rest is hung up on. */
const MAX_STRANGERS = 16;

/**
 * So often is a connection looked up that the system does not show: it lists many in pieces, and what comes and goes between
 * two of them hides others for a moment.
 */
const LOOKS = 3;

/** Lets programs of the same user pass. */
export interface PeerCheck {
  /**
   * Looks up whose a new connection is. Strangers are told why they get nothing when they ask, but those that keep
   * connections and ask for nothing do not take the place of this user's programs.
   */
  meet(socket: Socket): void;
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
  const looks = new WeakMap<Socket, Promise<BrokerRefusal | undefined>>();
  const strangers = new Set<Socket>();

  const lookUp = async (socket: Socket, find: UidOf): Promise<BrokerRefusal | undefined> => {
    const { remoteAddress = '', remotePort = 0, localPort = 0 } = socket;
    try {
      let uid: number | undefined;
      for (let look = 0; look < LOOKS && uid === undefined && !socket.destroyed; look += 1) {
        uid = await find({ remoteAddress, remotePort, localPort });
      }
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
  };

  const refuse = (socket: Socket): Promise<BrokerRefusal | undefined> => {
    if (uidOf === undefined || known.has(socket)) return Promise.resolve(undefined);
    const look = looks.get(socket) ?? lookUp(socket, uidOf);
    looks.set(socket, look);
    return look;
  };

  return {
    isKnown: (socket) => uidOf === undefined || known.has(socket),
    refuse,
    meet(socket) {
      void refuse(socket).then((refusal) => {
        if (refusal === undefined || socket.destroyed) return;
        if (strangers.size >= MAX_STRANGERS) {
          socket.destroy();
          return;
        }
        strangers.add(socket);
        socket.once('close', () => strangers.delete(socket));
      });
    },
  };
}
