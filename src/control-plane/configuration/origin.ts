const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * What keeps a text from being the address of a server that tokens come from or go to, or undefined if nothing
 * does. Plain http is for the machine itself only.
 */
export function faultOfServerAddress(text: string): string | undefined {
  const fault = faultOfReceiverAddress(text);
  if (fault !== undefined) return fault;
  const url = new URL(text);
  if (url.search !== '' || url.hash !== '') return 'must end with its path: no ? and no #.';
  return undefined;
}

/** The same for the address of a receiver, whose part behind the ? may be what opens its door. */
export function faultOfReceiverAddress(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null) return 'must be an address such as https://example.com.';
  const local = url.protocol === 'http:' && isLoopback(url.hostname);
  if (url.protocol !== 'https:' && !local) return 'must begin with https:// (http:// only for 127.0.0.1).';
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or a password.';
  return undefined;
}

/** True for the names of the machine itself, as they stand in an address. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.has(hostname);
}

/** The same for an origin: nothing after host and port, not even a slash. */
export function faultOfOrigin(text: string): string | undefined {
  const fault = faultOfServerAddress(text);
  if (fault !== undefined) return fault;
  const { origin } = new URL(text);
  return text === origin ? undefined : `must be an origin, without path or trailing slash: ${origin}`;
}
