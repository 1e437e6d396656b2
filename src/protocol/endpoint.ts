import type * as z from 'zod/mini';

import type { ProblemCode } from './problem.ts';

/** One operation of the control plane: the single definition for server, client and OpenAPI. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path with `{name}` parameters. */
  readonly path: string;
  readonly summary: string;
  /** `public` needs no token. */
  readonly auth: 'bearer' | 'public';
  readonly params: z.ZodMiniType;
  readonly query: z.ZodMiniType;
  readonly body: z.ZodMiniType | undefined;
  readonly response: z.ZodMiniType;
  /** What it refuses with of its own; see {@link refusalsOf} for all. */
  readonly refusals: readonly ProblemCode[];
  readonly successStatus: 200 | 201;
  /** True where `If-Match` says which version the sender decided on. */
  readonly takesVersion?: true;
  /** Present where the answer is a stream of lines, each of them JSON of the shape in `response`. */
  readonly lines?: true;
  /** True where the answer carries a credential, which is never stored. */
  readonly carriesCredential?: true;
}

const TO_ANYBODY: readonly ProblemCode[] = [
  'bad_request',
  'headers_too_large',
  'request_too_slow',
  'store_unavailable',
  'internal',
];

const TO_CALLERS: readonly ProblemCode[] = [
  'not_signed_in',
  'session_expired',
  'session_over_limit',
  'wrong_issuer',
  'wrong_audience',
  'wrong_token_kind',
  'wrong_client',
  'token_lives_too_long',
  'account_disabled',
  // A runner may do little.
  'not_allowed',
  'too_many_requests',
  'identity_provider_unavailable',
];

const TO_WISHES: readonly ProblemCode[] = ['idempotency_key_missing', 'idempotency_key_reused'];

const TO_BODIES: readonly ProblemCode[] = ['body_too_large', 'unsupported_media_type'];

/** Every code that an operation can refuse with. */
export function refusalsOf(endpoint: Endpoint): readonly ProblemCode[] {
  return [
    ...new Set<ProblemCode>([
      ...endpoint.refusals,
      ...(endpoint.auth === 'bearer' ? TO_CALLERS : []),
      ...(endpoint.method === 'POST' ? TO_WISHES : []),
      ...(endpoint.method === 'GET' ? [] : TO_BODIES),
      ...TO_ANYBODY,
    ]),
  ];
}
