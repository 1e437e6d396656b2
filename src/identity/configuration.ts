import type { Configuration } from '../protocol/configuration.ts';

/** Which identity provider to sign in at, as which client, for which audience: the control plane's word, once agreed to. */
export type IdentityConfiguration = Readonly<Configuration['identity']>;

/** True for a host name that never leaves the machine. */
export function isLoopback(url: URL): boolean {
  return url.hostname === '127.0.0.1' || url.hostname === '[::1]' || url.hostname === 'localhost';
}

/** True for an address that a sign-in may use: https, or plain http that never leaves the machine. */
export function isSafeAddress(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));
}

/**
 * The RFC 8707 parameter that asks for an access token for OAM. It is left out where the audience is no URI, and where
 * a scope names it already (Entra ID's `api://…/access`): such providers refuse it.
 */
export function resourceParameter(configuration: IdentityConfiguration): Record<string, string> {
  const { audience, scopes } = configuration;
  const named = scopes.some((scope) => scope === audience || scope.startsWith(`${audience}/`));
  return URL.canParse(audience) && !named ? { resource: audience } : {};
}
