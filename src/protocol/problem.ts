import * as z from 'zod/mini';

/** Every code that the control plane's `application/problem+json` can carry. */
export const PROBLEM_CODES = [
  // the caller
  'not_signed_in',
  'session_expired',
  'session_over_limit',
  'wrong_issuer',
  'wrong_audience',
  'wrong_token_kind',
  'wrong_client',
  'code_refused',
  'token_lives_too_long',
  'account_disabled',
  'groups_overflowed',
  'not_allowed',
  // the input
  'bad_request',
  'purpose_missing',
  'purpose_too_long',
  'window_too_short',
  'window_too_long',
  'start_out_of_range',
  'unknown_role',
  'not_found',
  'idempotency_key_missing',
  'idempotency_key_reused',
  'precondition_failed',
  'precondition_required',
  'body_too_large',
  'headers_too_large',
  'unsupported_media_type',
  'method_not_allowed',
  'request_too_slow',
  // the state of things
  'refused_by_policy',
  'already_requested',
  'already_held',
  'already_decided',
  'already_extended',
  'own_request',
  'grant_not_active',
  'role_unavailable',
  'too_many_credentials',
  'sign_in_again',
  'link_spent',
  'delegator_unconfirmed',
  // the surroundings
  'identity_provider_unavailable',
  'databricks_unavailable',
  'audit_unavailable',
  'store_unavailable',
  'too_many_requests',
  'internal',
] as const;

/** One of {@link PROBLEM_CODES}. */
export type ProblemCode = (typeof PROBLEM_CODES)[number];

/** RFC 9457 problem details, with the stable `code`, and the policy's explanation where there is one. */
export const Problem = z.object({
  /** `urn:oam:problem:<code>`. */
  type: z.string(),
  title: z.string(),
  status: z.int(),
  /** A sentence for the person, with the next step; the variable part last. */
  detail: z.string(),
  code: z.enum(PROBLEM_CODES),
  /** The reasons that the policy gave, in its words, and the nearest rule that would have allowed. */
  explanation: z.optional(z.array(z.string())),
});

/** See {@link Problem}. */
export type Problem = z.infer<typeof Problem>;
