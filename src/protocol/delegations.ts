import * as z from 'zod/mini';

import { DELEGATION_STATES } from '../domain/delegation.ts';
import type { Endpoint } from './endpoint.ts';
import { ById, clientText, page, PageQuery, PersonView, Timestamp } from './schemas.ts';

/** For a time, one approver's word may be given by somebody else. */
export const DelegationView = z.object({
  id: z.string(),
  state: z.enum(DELEGATION_STATES),
  /** Whose word it is. */
  delegator: PersonView,
  /** Who may give it. */
  delegate: PersonView,
  reason: z.string(),
  startsAt: Timestamp,
  endsAt: Timestamp,
  createdAt: Timestamp,
  revokedAt: z.nullable(Timestamp),
  revokedBy: z.nullable(PersonView),
});
/** See {@link DelegationView}. */
export type DelegationView = z.infer<typeof DelegationView>;

/** What somebody sends who names a delegate. */
export const DelegationCreate = z.object({
  /** The user name of somebody who has signed in before, or their subject. */
  delegate: clientText(500, 1),
  reason: clientText(1_000, 1),
  /** When it begins, at most 30 days ahead; at once unless given. */
  startsAt: z.optional(Timestamp),
  /** When it ends, at most 30 days after it begins. */
  endsAt: Timestamp,
});
/** See {@link DelegationCreate}. */
export type DelegationCreate = z.infer<typeof DelegationCreate>;

/** The operations on delegations. */
export const delegationEndpoints = {
  createDelegation: {
    method: 'POST',
    path: '/api/v1/delegations',
    summary: "Let somebody else give the caller's word on requests, for a time",
    auth: 'bearer',
    params: z.object({}),
    query: z.object({}),
    body: DelegationCreate,
    response: DelegationView,
    refusals: [
      'not_found',
      'not_allowed',
      'refused_by_policy',
      'purpose_missing',
      'start_out_of_range',
      'window_too_short',
      'window_too_long',
      'sign_in_again',
      'groups_overflowed',
      'audit_unavailable',
    ],
    successStatus: 201,
  },
  listDelegations: {
    method: 'GET',
    path: '/api/v1/delegations',
    summary:
      'Whom the caller named, who named the caller, or who named whom in the teams that the caller leads',
    auth: 'bearer',
    params: z.object({}),
    query: z.extend(PageQuery, { scope: z._default(z.enum(['given', 'held', 'team']), 'given') }),
    body: undefined,
    response: page(DelegationView),
    refusals: [],
    successStatus: 200,
  },
  revokeDelegation: {
    method: 'DELETE',
    path: '/api/v1/delegations/{id}',
    summary: "End a delegation at once (either side of it, or a lead of the delegator's team)",
    auth: 'bearer',
    params: ById,
    query: z.object({}),
    body: undefined,
    response: DelegationView,
    refusals: ['not_found'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
