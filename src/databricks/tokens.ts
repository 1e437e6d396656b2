import * as z from 'zod/mini';

import { OamError } from '../domain/errors.ts';
import { type Clock, type EpochMs, SECOND_MS } from '../domain/time.ts';
import type { HttpTransport } from '../protocol/transport.ts';
import { DatabricksError, isRefusal, readRefusal, unexpectedAnswer } from './errors.ts';
import { type HostTrust, requireTrusted } from './host-trust.ts';

/** A token that Databricks issued, and the moment from which it is worth nothing. */
export interface BearerToken {
  readonly accessToken: string;
  readonly expiresAtMs: EpochMs;
}

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
  return requestToken(host, form, {}, exchange);
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
  return requestToken(new URL(request.host).origin, form, { authorization: `Basic ${basic}` }, request);
}

const Discovery = z.object({ token_endpoint: z.string() });

const TokenAnswer = z.object({
  access_token: z.string().check(z.minLength(1)),
  token_type: z.string().check(z.regex(/^bearer$/i)),
  expires_in: z.int().check(z.positive()),
});

type Reach = Pick<TokenExchange, 'transport' | 'clock' | 'signal'>;

async function requestToken(
  origin: string,
  form: URLSearchParams,
  headers: Record<string, string>,
  reach: Reach,
): Promise<BearerToken> {
  const endpoint = await tokenEndpoint(origin, reach);
  // The life is counted from before the request, so that the token never looks longer-lived than it is.
  const askedAtMs = reach.clock.nowMs();
  const answer = await reach.transport({
    method: 'POST',
    url: endpoint,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...headers,
    },
    body: form.toString(),
    ...(reach.signal && { signal: reach.signal }),
  });
  const token = parse(TokenAnswer, answer, 'token endpoint');
  return { accessToken: token.access_token, expiresAtMs: askedAtMs + token.expires_in * SECOND_MS };
}

async function tokenEndpoint(origin: string, reach: Reach): Promise<string> {
  const answer = await reach.transport({
    method: 'GET',
    url: `${origin}/oidc/.well-known/oauth-authorization-server`,
    headers: { accept: 'application/json' },
    ...(reach.signal && { signal: reach.signal }),
  });
  const { token_endpoint: endpoint } = parse(Discovery, answer, 'discovery');
  if (URL.parse(endpoint)?.origin !== origin) {
    throw new OamError(
      'untrusted_token_endpoint',
      'The workspace names a token endpoint on another host, so no sign-in was sent to it. Tell your account admin.',
      { detail: `${origin} names ${endpoint}` },
    );
  }
  return endpoint;
}

function parse<Output>(
  schema: z.ZodMiniType<Output>,
  answer: { status: number; headers: Readonly<Record<string, string>>; text: string },
  what: string,
): Output {
  if (isRefusal(answer)) throw new DatabricksError(readRefusal(answer));
  let json: unknown;
  try {
    json = JSON.parse(answer.text);
  } catch {
    throw unexpectedAnswer(`${what}, not JSON`);
  }
  const parsed = schema.safeParse(json);
  // The text of a token answer is not quoted: it may hold the token.
  if (!parsed.success)
    throw unexpectedAnswer(`${what}, ${parsed.error.issues[0]?.path.join('.') ?? 'shape'}`);
  return parsed.data;
}
