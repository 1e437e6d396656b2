import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

/**
 * Where an address leads: into the public net, into somebody's own (RFC 1918, loopback, shared and unique local
 * addresses), or where no callback ever has business: link-local with its metadata services, multicast, tunnels,
 * addresses that are reserved or cannot be read.
 */
export type Reach = 'public' | 'private' | 'never';

/** Metadata and management services of clouds that lie at addresses which look like others. */
const CLOUD_SERVICES: ReadonlySet<string> = new Set(['168.63.129.16', '100.100.100.200', 'fd00:ec2::254']);

/** The Internet Assigned Numbers Authority gives out unicast addresses of version 6 from here only: 2000::/3. */
const GLOBAL_UNICAST = [new ipaddr.IPv6([0x2000, 0, 0, 0, 0, 0, 0, 0]), 3] as const;

/** The well-known prefix of NAT64: a gateway carries what goes there to the version 4 address at its end. */
const NAT64 = [new ipaddr.IPv6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0]), 96] as const;

/** Where an address, as a resolver gives it, leads. */
export function reachOf(address: string): Reach {
  switch (isIP(address)) {
    case 4:
      return reachOfVersion4(ipaddr.IPv4.parse(address));
    case 6: {
      // In hexadecimal: the library takes the '::1.2.3.4' that a kernel takes for ::102:304 for ::ffff:1.2.3.4.
      const written = URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1);
      return written === undefined ? 'never' : reachOfVersion6(ipaddr.IPv6.parse(written));
    }
    default:
      return 'never';
  }
}

function reachOfVersion4(address: ipaddr.IPv4): Reach {
  if (CLOUD_SERVICES.has(address.toString())) return 'never';
  switch (address.range()) {
    case 'unicast':
      return 'public';
    case 'private':
    case 'loopback':
    case 'carrierGradeNat':
      return 'private';
    default:
      return 'never';
  }
}

function reachOfVersion6(address: ipaddr.IPv6): Reach {
  if (CLOUD_SERVICES.has(address.toString())) return 'never';
  if (address.isIPv4MappedAddress()) return reachOfVersion4(address.toIPv4Address());
  if (address.match([...NAT64])) return reachOfVersion4(new ipaddr.IPv4(address.toByteArray().slice(-4)));
  switch (address.range()) {
    case 'unicast':
      return address.match([...GLOBAL_UNICAST]) ? 'public' : 'never';
    case 'loopback':
    case 'uniqueLocal':
      return 'private';
    default:
      return 'never';
  }
}

/** An address that was looked at and may be connected to. */
export interface CheckedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Asks the machine's resolver for all addresses of a name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** {@link Resolve} as every other program of the machine does it. */
export async function resolveBySystem(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
}

/** What {@link checkDestination} found. */
export type Destination =
  | { readonly kind: 'open'; readonly addresses: readonly CheckedAddress[] }
  /** One bad address is enough: which of them would be taken is not ours to say. */
  | { readonly kind: 'closed'; readonly address: string; readonly reach: Reach }
  | { readonly kind: 'unknown' };

/**
 * Resolves the host of a callback, once, and looks at every address. What comes back is what has to be connected to:
 * to ask for the name a second time would be to trust a second answer.
 *
 * @param allowPrivate hosts that may lie in a private net; also for these, some addresses are closed.
 */
export async function checkDestination(
  url: URL,
  allowPrivate: readonly string[],
  resolve: Resolve,
): Promise<Destination> {
  const literal = literalOf(url);
  let found: readonly string[];
  try {
    found = literal === undefined ? await resolve(url.hostname) : [literal];
  } catch {
    return { kind: 'unknown' };
  }
  if (found.length === 0) return { kind: 'unknown' };
  const inside = allowPrivate.includes(url.hostname);
  for (const address of found) {
    const reach = reachOf(address);
    if (reach === 'never' || (reach === 'private' && !inside)) return { kind: 'closed', address, reach };
  }
  return {
    kind: 'open',
    addresses: found.map((address) => ({ address, family: isIP(address) === 6 ? 6 : 4 })),
  };
}

/** A host as it stands in a URL, where it is an address by itself. */
function literalOf({ hostname }: URL): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

/**
 * What keeps a text from being the address of a callback, or undefined if nothing does. Hosts that are addresses are
 * read as browsers read them, so that no way of writing one (octal, hexadecimal, one number) hides where it leads.
 */
export function faultOfCallbackUrl(text: string, allowPrivate: readonly string[]): string | undefined {
  const url = URL.parse(text);
  if (url === null) return 'must be an address such as https://tickets.example.com/verify.';
  const inside = allowPrivate.includes(url.hostname);
  const local = url.protocol === 'http:' && LOOPBACK.has(url.hostname) && inside;
  if (url.protocol !== 'https:' && !local) {
    return "must begin with https:// (http:// only for a 127.0.0.1 that is in 'callbacks.allowPrivate').";
  }
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or a password.';
  if (url.search !== '' || url.hash !== '') return 'must end with its path: no ? and no #.';
  const literal = literalOf(url);
  const reach = literal === undefined ? 'public' : reachOf(literal);
  if (reach === 'never') return `leads where no callback may go: ${url.hostname}`;
  if (reach === 'private' && !inside) {
    return `leads into a private net. Where that is meant, list the host in 'callbacks.allowPrivate': ${url.hostname}`;
  }
  return undefined;
}

/** What keeps a text from being a host in the list of those that may lie in a private net. */
export function faultOfPrivateHost(text: string): string | undefined {
  const url = URL.parse(`https://${text}`);
  return url !== null && url.host === text && url.hostname === text && !text.includes('*')
    ? undefined
    : 'must be one host as it stands in an address, in lower case, without a port and without wildcards.';
}
