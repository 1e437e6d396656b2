import http from 'node:http';
import tls from 'node:tls';

import type { Invocation } from '../invocation.ts';

/** What never leaves the machine is not shown to a proxy, which could not reach it either. */
const OWN_ADDRESSES = 'localhost,127.0.0.1,[::1]';

/**
 * Takes the company's proxy from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in either case) and the
 * authorities that the company installed on this machine, for everything that this process sends.
 */
export function useCompanyNetwork(env: Invocation['env']): void {
  const of = (name: string): string | undefined => env[name.toLowerCase()] ?? env[name];
  const proxies = { HTTP_PROXY: of('HTTP_PROXY'), HTTPS_PROXY: of('HTTPS_PROXY') };
  // An older Node has neither; there its own switches do the same (`--use-env-proxy`, `--use-system-ca`).
  const has = (module: object, name: string): boolean => name in module;
  if (has(http, 'setGlobalProxyFromEnv') && Object.values(proxies).some((proxy) => (proxy ?? '') !== '')) {
    const noProxy = [of('NO_PROXY'), OWN_ADDRESSES].filter((part) => (part ?? '') !== '').join(',');
    http.setGlobalProxyFromEnv({ ...proxies, NO_PROXY: noProxy });
  }
  if (!has(tls, 'setDefaultCACertificates')) return;
  const known = tls.getCACertificates('default');
  tls.setDefaultCACertificates([...new Set([...known, ...tls.getCACertificates('system')])]);
}
