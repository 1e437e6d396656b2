import { open as openFile, readFile } from 'node:fs/promises';
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

/**
 * Who listens on a port of this machine.
 *
 * @returns the numeric user id, or undefined when the system shows nobody.
 */
export type ListenerUid = (port: number) => Promise<number | undefined>;

const LOOPBACK = [127, 0, 0, 1] as const;
const TIME_WAIT = '06';
const LISTENING = '0A';

/** How much of the table is taken at a time; the system gives less where it likes. */
const READ_BYTES = 64 * 1024;

/** A look into the tables that somebody waits for. */
interface Lookup {
  readonly needles: readonly string[];
  resolve(uid: number | undefined): void;
  reject(error: unknown): void;
}

/**
 * Reads the owner from `/proc/net/tcp`, and from `/proc/net/tcp6`, where a client that connects through a
 * dual-stack socket (Java, some Go programs) is listed. Linux only. On machines with much memory the system takes
 * milliseconds to list what little there is, so all that is asked during one reading shares the next, and none reads
 * further than it needs.
 *
 * @throws the file system's error when `/proc/net/tcp` cannot be read; a missing `/proc/net/tcp6` is no error.
 */
export function uidFromProc(): UidOf {
  let waiting: Lookup[] = [];
  let reading = false;

  const read = async (): Promise<void> => {
    reading = true;
    while (waiting.length > 0) {
      const lookups = waiting;
      waiting = [];
      try {
        const unseen = await look('/proc/net/tcp', lookups);
        const nowhere = await look('/proc/net/tcp6', unseen).catch(() => unseen);
        for (const lookup of nowhere) lookup.resolve(undefined);
      } catch (error) {
        for (const lookup of lookups) lookup.reject(error);
      }
    }
    reading = false;
  };

  return (peer) => {
    if (peer.remoteAddress.replace(/^::ffff:/i, '') !== '127.0.0.1') return Promise.resolve(undefined);
    const needles = needlesOf({ from: peer.remotePort, to: peer.localPort }, endianness());
    return new Promise((resolve, reject) => {
      waiting.push({ needles, resolve, reject });
      if (!reading) void read();
    });
  };
}

/**
 * Settles what the table tells, and gives back what it does not know. Each row is looked at once, however many are looked up:
 * somebody who opens connections as fast as they are hung up on makes for hundreds at a time.
 */
async function look(file: string, lookups: readonly Lookup[]): Promise<readonly Lookup[]> {
  if (lookups.length === 0) return lookups;
  const unseen = new Set(lookups);
  const wanted = new Map<string, Lookup[]>();
  for (const lookup of lookups) {
    for (const needle of lookup.needles) wanted.set(needle, [...(wanted.get(needle) ?? []), lookup]);
  }
  await using table = await openFile(file);
  const chunk = Buffer.alloc(READ_BYTES);
  // A row may be cut where a chunk ends.
  let cut = '';
  while (unseen.size > 0) {
    const { bytesRead } = await table.read(chunk, 0, READ_BYTES, null);
    if (bytesRead === 0) break;
    const rows = (cut + chunk.toString('latin1', 0, bytesRead)).split('\n');
    cut = rows.pop() ?? '';
    for (const row of rows) {
      const found = wanted.get(beginningOf(row));
      const uid = found && uidIn(row, [beginningOf(row)]);
      if (uid === undefined) continue;
      for (const lookup of found ?? []) {
        lookup.resolve(uid);
        unseen.delete(lookup);
      }
    }
  }
  return [...unseen];
}

/** Both addresses of a row, with the spaces around them. */
function beginningOf(row: string): string {
  const local = row.indexOf(': ') + 1;
  const remote = row.indexOf(' ', local + 1);
  return row.slice(local, row.indexOf(' ', remote + 1) + 1);
}

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
  return uidIn(table, needlesOf(ends, order));
}

/**
 * Reads from the same tables who listens on 127.0.0.1, by itself or with all addresses of the machine. Linux only.
 *
 * @throws the file system's error when `/proc/net/tcp` cannot be read; a missing `/proc/net/tcp6` is no error.
 */
export const listenerUidFromProc: ListenerUid = async (port) => {
  const needles = listenerNeedles(port, endianness());
  const find = async (file: string): Promise<number | undefined> =>
    uidIn(await readFile(file, 'latin1'), needles, (state) => state === LISTENING);
  return (await find('/proc/net/tcp')) ?? (await find('/proc/net/tcp6').catch(() => undefined));
};

/** How a row of somebody who listens begins, after its number: on 127.0.0.1 or all addresses, over IPv4 or IPv6. */
function listenerNeedles(port: number, order: 'LE' | 'BE'): readonly string[] {
  const [v4, mapped] = loopback(order);
  const local = [v4, '0'.repeat(8), mapped, '0'.repeat(32)];
  return local.map((address) => ` ${address}:${portHex(port)} ${'0'.repeat(address.length)}:0000 `);
}

/** How a row of the connection begins, after its number: over IPv4, and mapped into IPv6. */
function needlesOf(
  ends: { readonly from: number; readonly to: number },
  order: 'LE' | 'BE',
): readonly string[] {
  return loopback(order).map(
    (address) => ` ${address}:${portHex(ends.from)} ${address}:${portHex(ends.to)} `,
  );
}

/** 127.0.0.1 as the tables have it, and as it is mapped into IPv6. */
function loopback(order: 'LE' | 'BE'): readonly [v4: string, mapped: string] {
  const v4 = hex(order === 'LE' ? LOOPBACK.toReversed() : [...LOOPBACK]);
  return [v4, `0000000000000000${order === 'LE' ? 'FFFF0000' : '0000FFFF'}${v4}`];
}

function portHex(port: number): string {
  return hex([port >> 8, port & 0xff]);
}

/** The rest of a row: state, queues, timers, retransmissions, then the uid, and something after it. */
const REST = /(\w\w) +\S+ +\S+ +\S+ +(\d+)\s/y;

function uidIn(
  table: string,
  needles: readonly string[],
  counts: (state: string | undefined) => boolean = (state) => state !== TIME_WAIT,
): number | undefined {
  for (const needle of needles) {
    for (let at = table.indexOf(needle); at >= 0; at = table.indexOf(needle, at + 1)) {
      REST.lastIndex = at + needle.length;
      const [, state, uid] = REST.exec(table) ?? [];
      if (uid !== undefined && counts(state)) return Number(uid);
    }
  }
  return undefined;
}

function hex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join('');
}
