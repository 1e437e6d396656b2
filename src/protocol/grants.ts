import * as z from 'zod/mini';

import { REVIEW_VERDICTS } from '../domain/review.ts';
import type { Endpoint } from './endpoint.ts';
import {
  ById,
  clientText,
  EmptyBody,
  Flag,
  GrantView,
  page,
  PageQuery,
  Purpose,
  ReasonBody,
  RequestView,
} from './schemas.ts';

/** What somebody says who looks at an emergency access afterwards. */
export const ReviewBody = z.object({ verdict: z.enum(REVIEW_VERDICTS), comment: clientText(1_000, 1) });

/** What somebody sends who wants access to last longer. What is left out is as it was. */
export const ExtendBody = z.object({
  /** By how much the end moves; the role's usual window, as far as it fits, unless given. */
  minutes: z.optional(z.int()),
  purpose: z.optional(Purpose),
  ticket: z.optional(clientText(200)),
  /** An emergency: see `RequestCreate`. */
  breakGlass: z.optional(z.boolean()),
});

/** The operations on grants. */
export const grantEndpoints = {
  listGrants: {
    method: 'GET',
    path: '/api/v1/grants',
    summary:
      "The caller's grants, those of the teams that the caller leads, or emergency access to review; soonest end first",
    auth: 'bearer',
    params: z.object({}),
    query: z.extend(PageQuery, {
      scope: z._default(z.enum(['mine', 'team', 'to_review']), 'mine'),
      open: Flag,
    }),
    body: undefined,
    response: page(GrantView),
    refusals: ['groups_overflowed'],
    successStatus: 200,
  },
  getGrant: {
    method: 'GET',
    path: '/api/v1/grants/{id}',
    summary: 'One grant',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: undefined,
    response: GrantView,
    refusals: ['not_found'],
    successStatus: 200,
  },
  returnGrant: {
    method: 'POST',
    path: '/api/v1/grants/{id}/return',
    summary: "Give back one's own access early",
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: EmptyBody,
    response: GrantView,
    refusals: ['not_found', 'not_allowed', 'precondition_failed', 'grant_not_active'],
    successStatus: 200,
    takesVersion: true,
  },
  revokeGrant: {
    method: 'POST',
    path: '/api/v1/grants/{id}/revoke',
    summary: "End somebody's access (leads of the role's team)",
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: ReasonBody,
    response: GrantView,
    refusals: ['not_found', 'not_allowed', 'precondition_failed', 'grant_not_active', 'groups_overflowed'],
    successStatus: 200,
    takesVersion: true,
  },
  reviewGrant: {
    method: 'POST',
    path: '/api/v1/grants/{id}/review',
    summary: 'Say what is to be thought of an emergency access (those who could have approved it)',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: ReviewBody,
    response: GrantView,
    refusals: [
      'not_found',
      'not_allowed',
      'own_request',
      'already_decided',
      'sign_in_again',
      'groups_overflowed',
      'audit_unavailable',
    ],
    successStatus: 200,
  },
  extendGrant: {
    method: 'POST',
    path: '/api/v1/grants/{id}/extend',
    summary: 'Ask that access lasts longer, without a gap (the holder, or a lead of the team)',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: ExtendBody,
    response: RequestView,
    refusals: [
      'not_found',
      'not_allowed',
      'precondition_failed',
      'grant_not_active',
      'already_extended',
      'already_requested',
      'window_too_short',
      'window_too_long',
      'purpose_missing',
      'purpose_too_long',
      'role_unavailable',
      'refused_by_policy',
      'sign_in_again',
      'groups_overflowed',
      'audit_unavailable',
    ],
    successStatus: 201,
    takesVersion: true,
  },
} as const satisfies Record<string, Endpoint>;
