import * as z from 'zod/mini';

import { REQUEST_STATES } from '../domain/lifecycle.ts';
import type { Endpoint } from './endpoint.ts';
import { ById, Timestamp } from './schemas.ts';

/** What policy answers to a request. */
const DECISIONS = ['granted_at_once', 'needs_approval', 'refused'] as const;

/** Why a request was decided as it was, as that was stored, and what policy would say to it now. */
export const ExplanationView = z.object({
  requestId: z.string(),
  state: z.enum(REQUEST_STATES),
  roleId: z.string(),
  minutes: z.int(),
  /** What was said when it was asked, or last judged anew; never computed again. */
  then: z.object({
    decision: z.enum(['granted_at_once', 'needs_approval']),
    because: z.array(z.string()),
    policyVersion: z.string(),
    /** When it was asked. */
    askedAt: Timestamp,
  }),
  /** What the policy that serves now says to the same wish, on what is known of the requester now. */
  now: z.object({
    /** `unknown` where it cannot be asked: `because` says what is in the way. */
    decision: z.enum([...DECISIONS, 'unknown']),
    because: z.array(z.string()),
    /** The rules that decide; empty where something does that holds whatever the rules say. */
    rules: z.array(z.string()),
    /** Where no rule forbids and none allows: the one that comes nearest, and what of it does not hold. */
    nearest: z.nullable(z.object({ rule: z.string(), unmet: z.array(z.string()) })),
    policyVersion: z.string(),
    /** When the identity provider or the directory last vouched for the requester; null where nobody ever did. */
    seenAt: z.nullable(Timestamp),
  }),
});
/** See {@link ExplanationView}. */
export type ExplanationView = z.infer<typeof ExplanationView>;

/** The operation that explains a decision afterwards. */
export const explanationEndpoints = {
  explainRequest: {
    method: 'GET',
    path: '/api/v1/requests/{id}/explanation',
    summary: 'Why a request was decided as it was, and what policy would say now (those who see the request)',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: undefined,
    response: ExplanationView,
    refusals: ['not_found'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
