import * as z from 'zod/mini';

import type { Endpoint } from './endpoint.ts';
import { ById, clientText, page, PageQuery, Timestamp } from './schemas.ts';

/** What became of a runner. */
export const RUNNER_STATES = ['offered', 'running', 'ended'] as const;

/** Why a runner has ended: with its grant, by a person, or because somebody else tried to use it. */
export const RUNNER_ENDS = ['grant_ended', 'revoked', 'misused', 'never_started'] as const;

/** A program that works under a grant on its own, without the session of the person who holds it. */
export const RunnerView = z.object({
  id: z.string(),
  grantId: z.string(),
  state: z.enum(RUNNER_STATES),
  /** What its owner called it. */
  name: z.string(),
  createdAt: Timestamp,
  redeemedAt: z.nullable(Timestamp),
  renewedAt: z.nullable(Timestamp),
  /** When its present token expires, unless it is renewed. */
  expiresAt: z.nullable(Timestamp),
  endedAt: z.nullable(Timestamp),
  endedBy: z.nullable(z.enum(RUNNER_ENDS)),
});
/** See {@link RunnerView}. */
export type RunnerView = z.infer<typeof RunnerView>;

/** The code with which a runner takes over, once. */
export const HandOver = z.object({
  id: z.string(),
  grantId: z.string(),
  code: z.string(),
  expiresAt: Timestamp,
});
/** See {@link HandOver}. */
export type HandOver = z.infer<typeof HandOver>;

/** What a runner works with at the control plane. It opens its own grant and nothing else. */
export const RunnerToken = z.object({
  id: z.string(),
  grantId: z.string(),
  /** The workspace's origin. */
  host: z.string(),
  accessToken: z.string(),
  expiresAt: Timestamp,
});
/** See {@link RunnerToken}. */
export type RunnerToken = z.infer<typeof RunnerToken>;

/** Names a machine without saying which it is. */
const Machine = clientText(200, 16);

/** The operations on runners. */
export const runnerEndpoints = {
  handOver: {
    method: 'POST',
    path: '/api/v1/grants/{id}/runners',
    summary: 'A code with which a program takes over a grant, once and within minutes (its holder)',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: z.object({ name: clientText(200, 1) }),
    response: HandOver,
    refusals: [
      'not_found',
      'not_allowed',
      'code_refused',
      'grant_not_active',
      'too_many_credentials',
      'audit_unavailable',
    ],
    successStatus: 201,
    carriesCredential: true,
  },
  redeemRunner: {
    method: 'POST',
    path: '/api/v1/runner-tokens/redeem',
    summary: 'Take over with a code; the machine is bound from then on',
    auth: 'public',
    params: z.object({}),
    query: z.object({}),
    body: z.object({ code: clientText(200, 16), machine: Machine }),
    response: RunnerToken,
    refusals: ['code_refused', 'grant_not_active', 'too_many_requests', 'audit_unavailable'],
    successStatus: 200,
    carriesCredential: true,
  },
  renewRunner: {
    method: 'POST',
    path: '/api/v1/runner-tokens/renew',
    summary: 'The next token of the runner that asks, while its grant lives, on its own machine',
    auth: 'bearer',
    params: z.object({}),
    query: z.object({}),
    body: z.object({ machine: Machine }),
    response: RunnerToken,
    refusals: ['not_allowed', 'grant_not_active', 'audit_unavailable'],
    successStatus: 200,
    carriesCredential: true,
  },
  listRunners: {
    method: 'GET',
    path: '/api/v1/grants/{id}/runners',
    summary: 'The programs that took a grant over, the newest first (its holder, leads, auditors)',
    auth: 'bearer',
    params: ById,
    query: PageQuery,
    body: undefined,
    response: page(RunnerView),
    refusals: ['not_found'],
    successStatus: 200,
  },
  endRunner: {
    method: 'DELETE',
    path: '/api/v1/runners/{id}',
    summary: 'End a runner at once (its owner, or a lead of the team)',
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: undefined,
    response: RunnerView,
    refusals: ['not_found', 'not_allowed'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;

/** What a runner may do with its token, on the grant that it is bound to and those that extend it, and with itself. */
export const RUNNER_OPERATIONS: readonly string[] = [
  'getGrant',
  'issueCredential',
  'returnGrant',
  'renewRunner',
  'endRunner',
];
