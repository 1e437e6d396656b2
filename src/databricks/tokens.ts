import type { Clock } from '../domain/time.ts';
import type { HttpTransport } from '../protocol/transport.ts';
import { type HostTrust, requireTrusted } from './host-trust.ts';
import { type BearerToken, discoverOAuth, requestToken } from './oauth.ts';

/** What {@link exchangeSubjectToken} needs. */
export interface TokenExchange {
  /** Origin of the workspace, without a trailing slash. */
  readonly host: string;
  /** The identity provider's JWT: the ID token of a person, or OAM's own for a role. */
  readonly subjectToken: string;
  /** The application id of a service principal, for its own federation policy; absent for account-wide ones. */
  readonly clientId?: string;
  /**
   * Role assumption (RBAC, preview): the id of an account group, as SCIM's string, whose rights the token has _in the
   * place of_ the person's own. Databricks wants them to be a member of it, or to hold `roles/group.assumer` on it.
   * Workspaces only. Source: reference/databricks-auth.md §3.
   */
  readonly assumeGroup?: string;
  readonly scope?: 'all-apis';
  readonly trust: HostTrust;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/**
 * Exchanges a subject token for a Databricks token at the workspace's own token endpoint (RFC 8693). The token
 * lives no longer than the subject token, so the real end is in the answer.
 *
 * @throws {OamError} `untrusted_host` before anything is sent; `untrusted_token_endpoint` when the workspace names
 * an endpoint on another origin; `databricks_unexpected_answer`.
 * @throws {DatabricksError} `databricks_token_refused` when no federation policy accepts the subject token;
 * `databricks_role_not_assumed` when the group may not be assumed.
 */
export async function exchangeSubjectToken(exchange: TokenExchange): Promise<BearerToken> {
  const host = requireTrusted(exchange.trust, exchange.host);
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: exchange.subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    scope: exchange.scope ?? 'all-apis',
  });
  if (exchange.clientId !== undefined) form.set('client_id', exchange.clientId);
  if (exchange.assumeGroup !== undefined) form.set('assume_group', exchange.assumeGroup);
  const { tokenEndpoint } = await discoverOAuth(host, exchange);
  const { accessToken, expiresAtMs } = await requestToken(tokenEndpoint, form, {}, exchange);
  return { accessToken, expiresAtMs };
}

/** What {@link requestClientCredentials} needs. */
export interface ClientCredentials {
  /** Origin of the workspace, without a trailing slash. */
  readonly host: string;
  /** The application id of the service principal. */
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string;
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/**
 * A token for a service principal by its secret (OAuth client credentials, HTTP Basic). The host comes from the
 * operator's own configuration, and the token endpoint must be on it.
 *
 * @throws {OamError} `untrusted_token_endpoint`, `databricks_unexpected_answer`.
 * @throws {DatabricksError} `databricks_token_refused` for a wrong id or secret.
 */
export async function requestClientCredentials(request: ClientCredentials): Promise<BearerToken> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope: request.scope ?? 'all-apis' });
  // Not percent-encoded before: Databricks' SDKs do not, and ids and secrets are letters, digits and dashes.
  const basic = Buffer.from(`${request.clientId}:${request.clientSecret}`).toString('base64');
  const { tokenEndpoint } = await discoverOAuth(new URL(request.host).origin, request);
  const headers = { authorization: `Basic ${basic}` };
  const { accessToken, expiresAtMs } = await requestToken(tokenEndpoint, form, headers, request);
  return { accessToken, expiresAtMs };
}
