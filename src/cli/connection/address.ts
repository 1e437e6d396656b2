import type { CommonFlags, Invocation } from '../invocation.ts';
import { UsageError } from '../failure.ts';

const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * The origin of the control plane, from `--url` or `OAM_URL`. Access tokens go there, so it is https, or this machine.
 *
 * @throws {UsageError}
 */
export function controlPlaneUrl(flags: CommonFlags, env: Invocation['env']): string {
  const text = flags.url ?? env['OAM_URL'];
  if (text === undefined || text === '') {
    throw new UsageError('Say where the control plane is: set OAM_URL, or pass --url https://…');
  }
  const url = URL.parse(text);
  if (url?.pathname !== '/' || url.search !== '' || url.username !== '') {
    throw new UsageError('The address of the control plane is https://host, and nothing after it.', text);
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK_NAMES.has(url.hostname))) {
    throw new UsageError('The address of the control plane must begin with https://.', text);
  }
  return url.origin;
}

/** The hosts that the person trusts with their sign-in besides Databricks' own, from `OAM_TRUSTED_WORKSPACE_HOSTS`. */
export function trustedHosts(env: Invocation['env']): string[] {
  return (env['OAM_TRUSTED_WORKSPACE_HOSTS'] ?? '').split(/[\s,]+/).filter((host) => host !== '');
}
