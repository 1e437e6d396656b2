import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';

/** Both ends of a loopback connection, as the accepting side sees them. */
export interface PeerConnection {
  /** The other end's address: `127.0.0.1`, or `::ffff:127.0.0.1` where the system maps. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
}

/**
 * Whose the other end of a connection is.
 *
 * @returns the numeric user id, or undefined when the system shows no such connection.
 */
export type UidOf = (peer: PeerConnection) => Promise<number | undefined>;

const LOOPBACK = [127, 0, 0, 1] as const;
const TIME_WAIT = '06';

/**
 * Reads the owner from `/proc/net/tcp`, and from `/proc/net/tcp6`, where a client that connects through a
 * dual-stack socket (Java, some Go programs) is listed. Linux only.
 *
 * @throws the file system's error when `/proc/net/tcp` cannot be read; a missing `/proc/net/tcp6` is no error.
 */
export const uidFromProc: UidOf = async (peer) => {
  if (peer.remoteAddress.replace(/^::ffff:/i, '') !== '127.0.0.1') return undefined;
  const ends = { from: peer.remotePort, to: peer.localPort };
  return (
    findUid(await readFile('/proc/net/tcp', 'latin1'), ends) ??
    findUid(await readFile('/proc/net/tcp6', 'latin1').catch(() => ''), ends)
  );
};

/**
 * Finds the owner of the socket that is bound to 127.0.0.1:`from` and connected to 127.0.0.1:`to`. Connections that
 * are closed already are listed as root's and are passed over.
 *
 * @param table the text of `/proc/net/tcp` or `/proc/net/tcp6`: addresses in the machine's byte order, ports in
 * hexadecimal, uid in the eighth column. Source: proc_net_tcp in the kernel's documentation.
 */
export function findUid(
  table: string,
  ends: { readonly from: number; readonly to: number },
  order: 'LE' | 'BE' = endianness(),
): number | undefined {
  const v4 = hex(order === 'LE' ? LOOPBACK.toReversed() : [...LOOPBACK]);
  const mapped = `0000000000000000${order === 'LE' ? 'FFFF0000' : '0000FFFF'}${v4}`;
  const port = (number: number): string => hex([number >> 8, number & 0xff]);
  for (const line of table.split('\n')) {
    const [, local = '', remote = '', state, , , , uid = ''] = line.trim().split(/\s+/);
    if (state === TIME_WAIT) continue;
    const matches = [v4, mapped].some(
      (address) => local === `${address}:${port(ends.from)}` && remote === `${address}:${port(ends.to)}`,
    );
    if (matches && /^\d+$/.test(uid)) return Number(uid);
  }
  return undefined;
}

function hex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join('');
}
