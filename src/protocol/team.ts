import * as z from 'zod/mini';

import { DUTIES } from '../domain/principal.ts';
import type { Endpoint } from './endpoint.ts';
import { LeaseView } from './leases.ts';
import { GrantView, page, PageQuery, PersonView, Timestamp } from './schemas.ts';

/** A credential that is good now, with the grant that it was issued under: also one that outlives its grant. */
export const TeamLeaseView = z.object({ lease: LeaseView, grant: GrantView });
/** See {@link TeamLeaseView}. */
export type TeamLeaseView = z.infer<typeof TeamLeaseView>;

/** A member of a team, and how long they have waited. Of their grants and requests those of the team's roles count. */
export const TeamMemberView = z.object({
  person: PersonView,
  duty: z.nullable(z.enum(DUTIES)),
  /** Of the caller's teams those that they are in. */
  teams: z.array(z.string()),
  /** When the identity provider or the directory last vouched for them. */
  seenAt: Timestamp,
  /** When they were last given something, emergencies apart; null where never. */
  lastApprovedAt: z.nullable(Timestamp),
  /** Since when their oldest open request waits; null where none does. */
  waitingSince: z.nullable(Timestamp),
  openGrants: z.int(),
});
/** See {@link TeamMemberView}. */
export type TeamMemberView = z.infer<typeof TeamMemberView>;

/** A personal access token that a member of a team made for themselves at a workspace; never its value. */
export const TeamTokenView = z.object({
  workspace: z.object({ name: z.string(), host: z.string() }),
  /** Databricks' id of the token. */
  tokenId: z.string(),
  owner: PersonView,
  /** What its owner wrote beside it. */
  comment: z.string(),
  createdAt: z.nullable(Timestamp),
  /** To the day, as Databricks tells it; null where it was never used or Databricks does not say. */
  lastUsedAt: z.nullable(Timestamp),
  /** Null for a token without an end. */
  expiresAt: z.nullable(Timestamp),
});
/** See {@link TeamTokenView}. */
export type TeamTokenView = z.infer<typeof TeamTokenView>;

/** Why the tokens of a workspace are not in the list. */
export const UNREAD_REASONS = ['not_configured', 'not_allowed', 'unavailable'] as const;

/** One of {@link UNREAD_REASONS}. */
export type UnreadReason = (typeof UNREAD_REASONS)[number];

const None = z.object({});

/** The operations for leads, who see their own teams and nothing of another. */
export const teamEndpoints = {
  listTeamLeases: {
    method: 'GET',
    path: '/api/v1/team/leases',
    summary:
      'The credentials under grants of the teams that the caller leads that are good now; soonest end first',
    auth: 'bearer',
    params: None,
    query: PageQuery,
    body: undefined,
    response: page(TeamLeaseView),
    refusals: ['groups_overflowed'],
    successStatus: 200,
  },
  listTeamMembers: {
    method: 'GET',
    path: '/api/v1/team/members',
    summary: 'The members of the teams that the caller leads; whoever was given nothing for longest first',
    auth: 'bearer',
    params: None,
    query: PageQuery,
    body: undefined,
    response: page(TeamMemberView),
    refusals: ['groups_overflowed'],
    successStatus: 200,
  },
  listTeamTokens: {
    method: 'GET',
    path: '/api/v1/team/tokens',
    summary:
      'The personal access tokens that members of the teams that the caller leads have at the workspaces; soonest end first, those without one last; recorded',
    auth: 'bearer',
    params: None,
    query: PageQuery,
    body: undefined,
    response: z.object({
      items: z.array(TeamTokenView),
      nextCursor: z.nullable(z.string()),
      /** Workspaces whose tokens could not be read. */
      unread: z.array(z.object({ workspace: z.string(), because: z.enum(UNREAD_REASONS) })),
    }),
    refusals: ['groups_overflowed', 'audit_unavailable'],
    successStatus: 200,
  },
} as const satisfies Record<string, Endpoint>;
