import { OamError } from '../domain/errors.ts';

/** Which hosts may be given a token that stands for a person. */
export interface HostTrust {
  /** True for an origin (`https://host[:port]`, no path) that is Databricks' or was named by the person. */
  isTrusted(host: string): boolean;
  /** True for a workspace to which the person agreed; absent where that is not what the host comes from. */
  readonly isAgreed?: (host: string) => boolean;
}

/** Databricks' own domains, by cloud. Source: databricks-sdk-py `environments.py`. */
const AZURE_DOMAINS = ['.azuredatabricks.net', '.databricks.azure.us', '.databricks.azure.cn'];

const DATABRICKS_DOMAINS = [
  '.cloud.databricks.com',
  '.cloud.databricks.us',
  '.gcp.databricks.com',
  ...AZURE_DOMAINS,
];

const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * Trust in Databricks' own domains over https, plus the exact origins given (an application-scope setting).
 * Entries that are not origins are ignored, and so is plain http to anything but this machine: a subject token
 * does not travel in clear.
 */
export function hostTrust(extraHosts: readonly string[]): HostTrust {
  const extras = new Set<string>();
  for (const extra of extraHosts) {
    const url = asOrigin(extra);
    if (url !== undefined) extras.add(url.origin);
  }
  return {
    isTrusted(host) {
      const url = asOrigin(host);
      if (url === undefined) return false;
      if (extras.has(url.origin)) return true;
      return (
        url.protocol === 'https:' &&
        url.port === '' &&
        DATABRICKS_DOMAINS.some((domain) => url.hostname.endsWith(domain))
      );
    },
  };
}

/**
 * Trust in those workspaces alone that the control plane named when the person agreed to it. Anybody can have a host of
 * Databricks' own domains, so a control plane that names another one later, in a role or a grant, is not believed.
 *
 * @param agreed the origins of those workspaces; asked each time, because the person may agree to a change.
 */
export function trustAmong(trust: HostTrust, agreed: () => readonly string[]): HostTrust {
  const isAgreed = (host: string): boolean => {
    const origin = asOrigin(host)?.origin;
    return origin !== undefined && agreed().some((known) => asOrigin(known)?.origin === origin);
  };
  return { isAgreed, isTrusted: (host) => isAgreed(host) && trust.isTrusted(host) };
}

/** True for a workspace of Azure Databricks, which makes no tokens on behalf of service principals. */
export function isAzureHost(host: string): boolean {
  const hostname = URL.parse(host)?.hostname ?? '';
  return AZURE_DOMAINS.some((domain) => hostname.endsWith(domain));
}

/**
 * Passes a trusted host through as a normalised origin.
 *
 * @throws {OamError} `untrusted_host`; `workspace_not_agreed`.
 */
export function requireTrusted(trust: HostTrust, host: string): string {
  const url = asOrigin(host);
  if (trust.isAgreed?.(host) === false) {
    throw new OamError(
      'workspace_not_agreed',
      'The control plane did not name this workspace when you agreed to it, so no sign-in was sent there. Ask the administrator of OAM.',
      { detail: host },
    );
  }
  if (url === undefined || !trust.isTrusted(host)) {
    throw new OamError(
      'untrusted_host',
      'This is not a Databricks host that you trust, so no sign-in was sent to it. Add it to the trusted workspace hosts if it is yours.',
      { detail: host },
    );
  }
  return url.origin;
}

function asOrigin(host: string): URL | undefined {
  const url = URL.parse(host);
  if (url === null) return undefined;
  const bare =
    url.username === '' &&
    url.password === '' &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '';
  const secret = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK_NAMES.has(url.hostname));
  return bare && secret ? url : undefined;
}
