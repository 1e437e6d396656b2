const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * What keeps a text from being the address of a server that tokens come from or go to, or undefined if nothing
 * does. Plain http is for the machine itself only.
 */
export function faultOfServerAddress(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null) return 'must be an address such as https://example.com.';
  const local = url.protocol === 'http:' && LOOPBACK.has(url.hostname);
  if (url.protocol !== 'https:' && !local) return 'must begin with https:// (http:// only for 127.0.0.1).';
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or a password.';
  if (url.search !== '' || url.hash !== '') return 'must end with its path: no ? and no #.';
  return undefined;
}

/** The same for an origin: nothing after host and port, not even a slash. */
export function faultOfOrigin(text: string): string | undefined {
  const fault = faultOfServerAddress(text);
  if (fault !== undefined) return fault;
  const { origin } = new URL(text);
  return text === origin ? undefined : `must be an origin, without path or trailing slash: ${origin}`;
}
