import * as z from 'zod/mini';

import { OamError } from '../domain/errors.ts';
import { type Clock, type EpochMs, SECOND_MS } from '../domain/time.ts';
import type { HttpTransport } from '../protocol/transport.ts';
import { DatabricksError, isRefusal, readRefusal, unexpectedAnswer } from './errors.ts';

/** A token that Databricks issued, and the moment from which it is worth nothing. */
export interface BearerToken {
  readonly accessToken: string;
  readonly expiresAtMs: EpochMs;
}

/** A token with what renews it; a person's own sign-in alone brings that. */
export interface RenewableToken extends BearerToken {
  readonly refreshToken: string | undefined;
}

/** How OAuth endpoints are reached. */
export interface OAuthReach {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Where a workspace signs people in and issues tokens. All of it lies at the workspace's own origin. */
export interface OAuthEndpoints {
  readonly tokenEndpoint: string;
  /** Undefined where it signs nobody in by itself. */
  readonly authorizationEndpoint: string | undefined;
  /** Undefined where tokens cannot be given back, as with Databricks today. */
  readonly revocationEndpoint: string | undefined;
  /** Who the answers of a sign-in say that they come from (RFC 9207), and whether they always do. */
  readonly issuer: string | undefined;
  readonly answersNameIssuer: boolean;
}

const Discovery = z.object({
  token_endpoint: z.string(),
  issuer: z.optional(z.string()),
  authorization_endpoint: z.optional(z.string()),
  revocation_endpoint: z.optional(z.string()),
  authorization_response_iss_parameter_supported: z.optional(z.boolean()),
});

/**
 * Reads a workspace's endpoints (RFC 8414). What is shown to them stands for a person, so that an endpoint on another
 * origin is refused, whoever names it.
 *
 * @param origin the workspace's, which the caller trusts.
 * @throws {OamError} `untrusted_token_endpoint`, `databricks_unexpected_answer`.
 */
export async function discoverOAuth(origin: string, reach: OAuthReach): Promise<OAuthEndpoints> {
  const answer = await reach.transport({
    method: 'GET',
    url: `${origin}/oidc/.well-known/oauth-authorization-server`,
    headers: { accept: 'application/json' },
    ...(reach.signal && { signal: reach.signal }),
  });
  const said = parse(Discovery, answer, 'discovery');
  const own = (address: string): string => {
    if (URL.parse(address)?.origin === origin) return address;
    throw new OamError(
      'untrusted_token_endpoint',
      'The workspace names a token endpoint on another host, so no sign-in was sent to it. Tell your account admin.',
      { detail: `${origin} names ${address}` },
    );
  };
  return {
    tokenEndpoint: own(said.token_endpoint),
    authorizationEndpoint: said.authorization_endpoint && own(said.authorization_endpoint),
    revocationEndpoint: said.revocation_endpoint && own(said.revocation_endpoint),
    issuer: said.issuer,
    answersNameIssuer: said.authorization_response_iss_parameter_supported === true,
  };
}

const TokenAnswer = z.object({
  access_token: z.string().check(z.minLength(1)),
  token_type: z.string().check(z.regex(/^bearer$/i)),
  expires_in: z.int().check(z.positive()),
  refresh_token: z.optional(z.string().check(z.minLength(1))),
});

/**
 * Asks a token endpoint for a token.
 *
 * @param endpoint from {@link discoverOAuth}.
 * @throws {OamError} `databricks_unexpected_answer`.
 * @throws {DatabricksError} `databricks_token_refused` and the other refusals.
 */
export async function requestToken(
  endpoint: string,
  form: URLSearchParams,
  headers: Readonly<Record<string, string>>,
  reach: OAuthReach,
): Promise<RenewableToken> {
  // The life is counted from before the request, so that the token never looks longer-lived than it is.
  const askedAtMs = reach.clock.nowMs();
  const token = parse(TokenAnswer, await postForm(endpoint, form, headers, reach), 'token endpoint');
  return {
    accessToken: token.access_token,
    expiresAtMs: askedAtMs + token.expires_in * SECOND_MS,
    refreshToken: token.refresh_token,
  };
}

/** Sends a form to an endpoint of {@link discoverOAuth}; any status is an answer. */
export function postForm(
  endpoint: string,
  form: URLSearchParams,
  headers: Readonly<Record<string, string>>,
  reach: Pick<OAuthReach, 'transport' | 'signal'>,
): ReturnType<HttpTransport> {
  return reach.transport({
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
