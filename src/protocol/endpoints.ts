import * as z from 'zod/mini';

import { auditEndpoints } from './audit.ts';
import { backgroundEndpoints } from './background.ts';
import { explanationEndpoints } from './explanation.ts';
import { delegationEndpoints } from './delegations.ts';
import { eventEndpoints } from './events.ts';
import { issuerEndpoints } from './issuer.ts';
import { leaseEndpoints } from './leases.ts';
import type { ProblemCode } from './problem.ts';
import { runnerEndpoints } from './runners.ts';
import {
  ApproveBody,
  ById,
  Configuration,
  CredentialView,
  EmptyBody,
  ExtendBody,
  GrantView,
  IfConfirmed,
  Me,
  OpenLinkBody,
  Outlook,
  page,
  PageQuery,
  ReasonBody,
  ReviewBody,
  RequestCreate,
  RequestView,
  RoleView,
} from './schemas.ts';
import { teamEndpoints } from './team.ts';

const None = z.object({});

/** A query's yes or no; no unless said. */
const Flag = z.prefault(
  z.pipe(
    z.enum(['true', 'false']),
    z.transform((value) => value === 'true'),
  ),
  'false',
);

/** A number of a query, as far as it could be meant. */
const WholeNumber = z.pipe(z.string().check(z.regex(/^\d{1,6}$/)), z.transform(Number));

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

/** The table of operations, by operation id. Every POST takes an `Idempotency-Key`. */
export const endpoints = {
  getConfiguration: {
    method: 'GET',
    path: '/api/v1/configuration',
    summary: 'What a client needs before sign-in',
    auth: 'public',
    params: None,
    query: None,
    body: undefined,
    response: Configuration,
    refusals: [],
    successStatus: 200,
  },
  getMe: {
    method: 'GET',
    path: '/api/v1/me',
    summary: 'The caller, as the identity provider describes them',
    auth: 'bearer',
    params: None,
    query: None,
    body: undefined,
    response: Me,
    refusals: ['groups_overflowed'],
    successStatus: 200,
  },
  listRoles: {
    method: 'GET',
    path: '/api/v1/roles',
    summary: 'The roles that concern the caller, and what a request for each would meet',
    auth: 'bearer',
    params: None,
    query: None,
    body: undefined,
    response: z.object({ items: z.array(RoleView) }),
    refusals: ['groups_overflowed'],
    successStatus: 200,
  },
  getOutlook: {
    method: 'GET',
    path: '/api/v1/roles/{id}/outlook',
    summary: 'What a request for a role, for so long and with or without a ticket, would meet now',
    auth: 'bearer',
    params: ById,
    query: z.object({ minutes: WholeNumber, ticket: Flag, purposeCharacters: z.optional(WholeNumber) }),
    body: undefined,
    response: z.object({ outlook: Outlook, ifConfirmed: IfConfirmed }),
    // An id that is longer than any is no address.
    refusals: ['unknown_role', 'not_found', 'groups_overflowed'],
    successStatus: 200,
  },
  createRequest: {
    method: 'POST',
    path: '/api/v1/requests',
    summary: 'Ask for a role',
    auth: 'bearer',
    params: None,
    query: None,
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
    params: None,
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
    query: None,
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
    query: None,
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
    query: None,
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
    query: None,
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
    query: None,
    body: OpenLinkBody,
    response: RequestView,
    refusals: ['not_found', 'link_spent', 'audit_unavailable'],
    successStatus: 200,
  },
  listGrants: {
    method: 'GET',
    path: '/api/v1/grants',
    summary:
      "The caller's grants, those of the teams that the caller leads, or emergency access to review; soonest end first",
    auth: 'bearer',
    params: None,
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
    query: None,
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
    query: None,
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
    query: None,
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
    query: None,
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
    query: None,
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
  issueCredential: {
    method: 'POST',
    path: '/api/v1/grants/{id}/credential',
    summary: 'What to work with under a grant, for its own principal: a token, or a group to assume',
    auth: 'bearer',
    params: ById,
    query: None,
    body: EmptyBody,
    response: CredentialView,
    refusals: [
      'not_found',
      'not_allowed',
      'grant_not_active',
      'too_many_credentials',
      'role_unavailable',
      'databricks_unavailable',
      'audit_unavailable',
    ],
    successStatus: 200,
    carriesCredential: true,
  },
  ...backgroundEndpoints,
  ...explanationEndpoints,
  ...delegationEndpoints,
  ...eventEndpoints,
  ...leaseEndpoints,
  ...issuerEndpoints,
  ...auditEndpoints,
  ...runnerEndpoints,
  ...teamEndpoints,
} as const satisfies Record<string, Endpoint>;

/** An operation id. */
export type OperationId = keyof typeof endpoints;

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
