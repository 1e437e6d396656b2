import * as z from 'zod/mini';

import type { Endpoint } from './endpoint.ts';
import { WINDOW_MAX_MINUTES } from './limits.ts';
import type { ProblemCode } from './problem.ts';
import {
  ById,
  clientText,
  CodeContext,
  EmptyBody,
  page,
  PageQuery,
  Purpose,
  ReasonBody,
  RequestView,
  Timestamp,
} from './schemas.ts';

/** What a client sends to ask for a role. Purpose and window are judged by the server, with codes of their own. */
export const RequestCreate = z.object({
  roleId: clientText(200, 1),
  purpose: Purpose,
  ticket: z.optional(clientText(200)),
  minutes: z.int(),
  /** When access is to begin, at most 30 days ahead; at once unless given. */
  startsAt: z.optional(Timestamp),
  /** An emergency: nobody is waited for where policy allows it, everybody is told, and it is reviewed afterwards. */
  breakGlass: z.optional(z.boolean()),
  codeContext: z.optional(CodeContext),
});
/** See {@link RequestCreate}. */
export type RequestCreate = z.infer<typeof RequestCreate>;

/** What an approver sends. `approvedMinutes` may only lower what was asked. */
export const ApproveBody = z.object({
  approvedMinutes: z.optional(z.int().check(z.minimum(1), z.maximum(WINDOW_MAX_MINUTES))),
  comment: z.optional(clientText(1_000)),
});

/** What a link in a chat or a mail carries: it opens its request once for each person, and decides nothing. */
export const OpenLinkBody = z.object({ nonce: z.string().check(z.regex(/^[\w-]{43}$/)) });

/** Giving one's word on another's request. */
const DECIDING = [
  'not_found',
  'not_allowed',
  'own_request',
  'precondition_failed',
  'precondition_required',
  'already_decided',
  'groups_overflowed',
  'sign_in_again',
  'delegator_unconfirmed',
  'audit_unavailable',
] as const satisfies readonly ProblemCode[];

/** The operations on requests. */
export const requestEndpoints = {
  createRequest: {
    method: 'POST',
    path: '/api/v1/requests',
    summary: 'Ask for a role',
    auth: 'bearer',
    params: z.object({}),
    query: z.object({}),
    body: RequestCreate,
    response: RequestView,
    refusals: [
      'unknown_role',
      'purpose_missing',
      'purpose_too_long',
      'window_too_short',
      'window_too_long',
      'start_out_of_range',
      'sign_in_again',
      'groups_overflowed',
      'role_unavailable',
      'already_requested',
      'already_held',
      'refused_by_policy',
      'audit_unavailable',
    ],
    successStatus: 201,
  },
  listRequests: {
    method: 'GET',
    path: '/api/v1/requests',
    summary: "The caller's requests, or those that wait for the caller's approval",
    auth: 'bearer',
    params: z.object({}),
    query: z.extend(PageQuery, { scope: z._default(z.enum(['mine', 'to_approve']), 'mine') }),
    body: undefined,
    response: page(RequestView),
    refusals: ['groups_overflowed'],
    successStatus: 200,
  },
  getRequest: {
    method: 'GET',
    path: '/api/v1/requests/{id}',
    summary: 'One request',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: undefined,
    response: RequestView,
    refusals: ['not_found'],
    successStatus: 200,
  },
  approveRequest: {
    method: 'POST',
    path: '/api/v1/requests/{id}/approve',
    summary: 'Approve a request at its present version (`If-Match`)',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: ApproveBody,
    response: RequestView,
    refusals: [...DECIDING, 'window_too_long'],
    successStatus: 200,
    takesVersion: true,
  },
  denyRequest: {
    method: 'POST',
    path: '/api/v1/requests/{id}/deny',
    summary: 'Deny a request at its present version (`If-Match`)',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: ReasonBody,
    response: RequestView,
    refusals: [...DECIDING],
    successStatus: 200,
    takesVersion: true,
  },
  cancelRequest: {
    method: 'POST',
    path: '/api/v1/requests/{id}/cancel',
    summary: "Take back one's own request",
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: EmptyBody,
    response: RequestView,
    refusals: ['not_found', 'not_allowed', 'precondition_failed', 'already_decided', 'audit_unavailable'],
    successStatus: 200,
    takesVersion: true,
  },
  openLink: {
    method: 'POST',
    path: '/api/v1/requests/{id}/open',
    summary: 'Open a request by the link of a notice: once for each person, and only to look at it',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: OpenLinkBody,
    response: RequestView,
    refusals: ['not_found', 'link_spent', 'audit_unavailable'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
