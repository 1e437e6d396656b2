import * as z from 'zod/mini';

import { auditEndpoints } from './audit.ts';
import { IssuerView, RotateKeysBody } from './issuer.ts';
import {
  ApproveBody,
  Configuration,
  CredentialView,
  EmptyBody,
  EventView,
  ExtendBody,
  GrantView,
  Me,
  page,
  PageQuery,
  ReasonBody,
  RequestCreate,
  RequestView,
  RoleView,
} from './schemas.ts';

const ById = z.object({ id: z.string().check(z.minLength(1), z.maxLength(100)) });
const None = z.object({});

/** One operation of the control plane: the single definition for server, client and OpenAPI. */
export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** Path with `{name}` parameters. */
  readonly path: string;
  readonly summary: string;
  /** `public` needs no token. */
  readonly auth: 'bearer' | 'public';
  readonly params: z.ZodMiniType;
  readonly query: z.ZodMiniType;
  readonly body: z.ZodMiniType | undefined;
  readonly response: z.ZodMiniType;
  readonly successStatus: 200 | 201;
  /** Present where the answer is a stream of lines, each of them JSON of the shape in `response`. */
  readonly lines?: true;
  /** True where the answer carries a credential, which is never stored. */
  readonly carriesCredential?: true;
}

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
    successStatus: 200,
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
    successStatus: 200,
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
    successStatus: 200,
  },
  listGrants: {
    method: 'GET',
    path: '/api/v1/grants',
    summary: "The caller's grants, or those of the teams that the caller leads; soonest end first",
    auth: 'bearer',
    params: None,
    query: z.extend(PageQuery, {
      scope: z._default(z.enum(['mine', 'team']), 'mine'),
      open: z._default(z.stringbool(), false),
    }),
    body: undefined,
    response: page(GrantView),
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
    successStatus: 200,
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
    successStatus: 201,
  },
  issueCredential: {
    method: 'POST',
    path: '/api/v1/grants/{id}/credential',
    summary: "A short-lived token of a federated role, for the grant's own principal",
    auth: 'bearer',
    params: ById,
    query: None,
    body: EmptyBody,
    response: CredentialView,
    successStatus: 200,
    carriesCredential: true,
  },
  listEvents: {
    method: 'GET',
    path: '/api/v1/events',
    summary:
      'What happened since a cursor; with `Accept: text/event-stream` a stream that resumes at `Last-Event-ID`',
    auth: 'bearer',
    params: None,
    query: z.object({ after: z.optional(z.string().check(z.maxLength(100))) }),
    body: undefined,
    response: z.object({ items: z.array(EventView), nextCursor: z.string() }),
    successStatus: 200,
  },
  getIssuer: {
    method: 'GET',
    path: '/api/v1/issuer',
    summary: "OAM's signing keys, and the federation policies that trust them (operators, auditors)",
    auth: 'bearer',
    params: None,
    query: None,
    body: undefined,
    response: IssuerView,
    successStatus: 200,
  },
  rotateKeys: {
    method: 'POST',
    path: '/api/v1/issuer/rotate',
    summary: "Change OAM's signing keys (operators)",
    auth: 'bearer',
    params: None,
    query: None,
    body: RotateKeysBody,
    response: IssuerView,
    successStatus: 200,
  },
  ...auditEndpoints,
} as const satisfies Record<string, Endpoint>;

/** An operation id. */
export type OperationId = keyof typeof endpoints;
