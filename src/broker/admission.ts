import type { BrokerRefusal } from './refusal.ts';

/** The only version of Databricks' metadata-service protocol. */
export const METADATA_VERSION = '1';

/** Longer than any path that the broker opens, and far below what could be used to fill its memory. */
export const MAX_TARGET_CHARACTERS = 256;

/** What the broker looks at in a request, apart from who sent it. */
export interface RequestFacts {
  readonly httpVersion: string;
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  /** All values of a header, in order; empty when it was not sent. The name is lower case. */
  header(name: string): readonly string[];
}

/**
 * What is wrong with a request whatever path it names, or undefined. A web page that was lured onto this port, by
 * its own name (DNS rebinding) or ours, fails here: it cannot choose `Host`, and cannot leave out `Origin` or
 * `Sec-Fetch-Site`.
 */
export function refuseForm(request: RequestFacts, port: number): BrokerRefusal | undefined {
  if (request.httpVersion !== '1.1') {
    return { code: 'http_version', status: 505, sentence: 'The broker speaks HTTP/1.1 only.' };
  }
  const hosts = request.header('host');
  if (hosts.length !== 1) {
    return {
      code: 'host_header_missing',
      status: 400,
      sentence: 'The request needs exactly one Host header.',
    };
  }
  const [named = ''] = hosts;
  if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(named.toLowerCase())) {
    return {
      code: 'wrong_host_header',
      status: 403,
      sentence: 'The broker answers on 127.0.0.1 only, not under another name.',
    };
  }
  if (request.header('origin').length > 0 || request.header('sec-fetch-site').length > 0) {
    return { code: 'from_a_web_page', status: 403, sentence: 'The broker does not answer web pages.' };
  }
  if (request.method !== 'GET') {
    return { code: 'method', status: 405, sentence: 'The broker answers GET only.' };
  }
  if (request.target.length > MAX_TARGET_CHARACTERS) {
    return {
      code: 'address_too_long',
      status: 414,
      sentence: 'The address is too long to be one of the broker.',
    };
  }
  const [length = '0'] = request.header('content-length');
  if (length !== '0' || request.header('transfer-encoding').length > 0) {
    return { code: 'body', status: 400, sentence: 'The broker takes no body.' };
  }
  return undefined;
}

/** The refusal of an address that the broker never opened. */
export const UNKNOWN_PATH: BrokerRefusal = {
  code: 'unknown_path',
  status: 404,
  sentence:
    'There is nothing at this address. The program holds an old pointer: start it anew, from a new terminal.',
};

/**
 * True for Databricks' Python SDK, which fetches tokens by `requests` under that name: what has no token in it is an error to
 * it that ends the program, however it is worded, but a connection that breaks off it repeats for five minutes
 * (`_BaseClient._is_retryable`; seen with 0.156).
 */
export function asksAgainWhenHungUpOn(request: RequestFacts): boolean {
  return request.header('user-agent').some((agent) => agent.startsWith('python-requests/'));
}

/** What is wrong with a request for a path that answers for `host`, an origin as {@link normaliseHost} gives it. */
export function refuseForPath(request: RequestFacts, host: string): BrokerRefusal | undefined {
  const versions = request.header('x-databricks-metadata-version');
  if (versions.length !== 1 || versions[0] !== METADATA_VERSION) {
    return {
      code: 'protocol_version',
      status: 400,
      sentence:
        'The broker speaks version 1 of the metadata service only. Send it as X-Databricks-Metadata-Version.',
    };
  }
  const named = request.header('x-databricks-host');
  if (named.length === 0) {
    return {
      code: 'workspace_missing',
      status: 400,
      sentence: 'The request does not say for which workspace: send X-Databricks-Host.',
    };
  }
  if (named.length !== 1 || (named[0] !== host && normaliseHost(named[0] ?? '') !== host)) {
    return {
      code: 'other_workspace',
      status: 403,
      sentence: 'The program asked for another workspace than the one in use here, so it got no token.',
      detail: `in use here is ${host}`,
    };
  }
  return undefined;
}

/**
 * The origin that a workspace host stands for: lower case, without a trailing slash or the scheme's own port, https
 * where no scheme is given. Undefined for anything that is more, or less, than a host.
 */
export function normaliseHost(host: string): string | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(host) ? host : `https://${host}`);
  if (url === null || !['https:', 'http:'].includes(url.protocol)) return undefined;
  const bare =
    url.username === '' &&
    url.password === '' &&
    url.pathname === '/' &&
    !host.includes('?') &&
    !host.includes('#') &&
    !host.includes('@');
  return bare ? url.origin : undefined;
}
