import * as z from 'zod/mini';

import { ASSET_KINDS } from '../domain/asset-right.ts';
import { END_REASONS, GRANT_STATES, OUTLIVING_KINDS, REQUEST_STATES } from '../domain/lifecycle.ts';
import { DUTIES } from '../domain/principal.ts';
import { REVIEW_VERDICTS } from '../domain/review.ts';
import { CREDENTIAL_KINDS, SENSITIVITIES, TOKEN_SOURCES } from '../domain/role.ts';
import { StageView } from './approvers.ts';
import { PAGE_DEFAULT_ROWS, PAGE_MAX_ROWS, WINDOW_MAX_MINUTES } from './limits.ts';

/** Text of a client's, of at most so many characters: the store cannot hold the character NUL. */
export function clientText(maxCharacters: number, minCharacters = 0) {
  return z.string().check(z.regex(/^[^\u0000]*$/), z.minLength(minCharacters), z.maxLength(maxCharacters));
}

/** A point in time on the wire: ISO 8601 in UTC with milliseconds. */
export const Timestamp = z.iso.datetime();

/** How long a company lets a session last. */
export const SessionLimits = z.object({
  /** It ends when the person did nothing for so long. */
  idleMinutes: z.optional(z.int()),
  /** It ends so long after the person showed who they are. */
  absoluteHours: z.optional(z.int()),
});
/** See {@link SessionLimits}. */
export type SessionLimits = z.infer<typeof SessionLimits>;

/** The attributes of a Databricks user by which a person of the identity provider is found. */
export const DATABRICKS_ATTRIBUTES = ['externalId', 'userName'] as const;

/** A workspace, and where people's own tokens for it come from. */
export const WorkspaceConfiguration = z.object({
  name: z.string(),
  host: z.string(),
  /** `exchange` where it is left out. */
  tokenSource: z.optional(z.enum(TOKEN_SOURCES)),
  /** The public client of the sign-in, for `databricks-sign-in`; Databricks' own where it is left out. */
  signInClient: z.optional(z.string()),
});
/** See {@link WorkspaceConfiguration}. */
export type WorkspaceConfiguration = z.infer<typeof WorkspaceConfiguration>;

/** What a client needs to know before anybody is signed in. */
export const Configuration = z.object({
  product: z.literal('databricks-ml-oam'),
  version: z.string(),
  identity: z.object({
    issuer: z.string(),
    /** The public client of the editor and the command line. */
    clientId: z.string(),
    /** The audience (RFC 8707 resource) of access tokens for this control plane. */
    audience: z.string(),
    scopes: z.array(z.string()),
    /** The claim of the access token by which the control plane knows a person; `sub` where it is left out. */
    subjectClaim: z.optional(z.string()),
    /** The attribute of a Databricks user that equals that claim; `externalId` where it is left out. */
    databricksAttribute: z.optional(z.enum(DATABRICKS_ATTRIBUTES)),
  }),
  workspaces: z.array(WorkspaceConfiguration),
  sessions: z.optional(SessionLimits),
});
/** See {@link Configuration}. */
export type Configuration = z.infer<typeof Configuration>;

/** Somebody, for others to read. */
export const PersonView = z.object({
  iss: z.string(),
  sub: z.string(),
  userName: z.string(),
  displayName: z.string(),
});
/** See {@link PersonView}. */
export type PersonView = z.infer<typeof PersonView>;

/** The caller as the control plane sees them. */
export const Me = z.extend(PersonView, {
  groups: z.array(z.string()),
  duty: z.nullable(z.enum(DUTIES)),
  teams: z.array(z.object({ name: z.string(), lead: z.boolean() })),
  seenAt: Timestamp,
  /** True where policy lets the caller read the audit trail. */
  readsAudit: z._default(z.boolean(), false),
});
/** See {@link Me}. */
export type Me = z.infer<typeof Me>;

/** What a request for a role would meet. */
export const Outlook = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('granted_at_once'), because: z.array(z.string()) }),
  z.object({
    kind: z.literal('needs_approval'),
    stages: z.array(StageView),
    because: z.array(z.string()),
  }),
  z.object({ kind: z.literal('refused'), because: z.array(z.string()) }),
  z.object({ kind: z.literal('unavailable'), because: z.array(z.string()) }),
]);
/** See {@link Outlook}. */
export type Outlook = z.infer<typeof Outlook>;

/** Where it would matter whether callbacks confirm ticket and purpose: who is asked, and what a yes would lead to. */
export const IfConfirmed = z.optional(z.object({ by: z.array(z.string()), outlook: Outlook }));

/** A right on an asset. */
export const AssetRight = z.object({ kind: z.enum(ASSET_KINDS), name: z.string(), level: z.string() });

/** A role of the catalogue as the caller sees it. */
export const RoleView = z.object({
  id: z.string(),
  title: z.string(),
  gives: z.string(),
  workspace: z.object({ name: z.string(), host: z.string() }),
  team: z.string(),
  sensitivity: z.enum(SENSITIVITIES),
  credential: z.enum(CREDENTIAL_KINDS),
  maxMinutes: z.int(),
  defaultMinutes: z.int(),
  outlook: Outlook,
  ifConfirmed: IfConfirmed,
  /** True where policy would let the caller take the role in an emergency. */
  breakGlass: z.boolean(),
  /** What the role gives on which assets, as far as the catalogue tells it; a `*` ends a name that stands for many. */
  rights: z._default(z.array(AssetRight), []),
  /** The Databricks group through which it is given, by name; null from a server that does not tell. */
  group: z._default(z.nullable(z.string()), null),
});
/** See {@link RoleView}. */
export type RoleView = z.infer<typeof RoleView>;

/** One approver's word. */
export const ApprovalView = z.object({
  stage: z.int(),
  approver: PersonView,
  /** Whose word it is, where the approver gave it as somebody's delegate. */
  onBehalfOf: z._default(z.nullable(PersonView), null),
  verdict: z.enum(['approved', 'denied']),
  comment: z.nullable(z.string()),
  at: Timestamp,
});
/** See {@link ApprovalView}. */
export type ApprovalView = z.infer<typeof ApprovalView>;

/** Where in the code the need arose; the requester's word, shown to approvers. */
export const CodeContext = z.object({
  repository: z.optional(clientText(500)),
  branch: z.optional(clientText(500)),
  commit: z.optional(clientText(100)),
});
/** See {@link CodeContext}. */
export type CodeContext = z.infer<typeof CodeContext>;

/** Its length is judged by the server, with a code of its own. */
const Purpose = z.string().check(z.regex(/^[^\u0000]*$/));

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

/** What a callback said of a request's ticket and purpose. */
export const EvidenceView = z.object({
  callback: z.string(),
  verdict: z.enum(['confirmed', 'refuted', 'unanswered']),
  reason: z.nullable(z.string()),
  /** The callback's own name for what it looked at. */
  evidenceId: z.nullable(z.string()),
  ticketTitle: z.nullable(z.string()),
  ticketStatus: z.nullable(z.string()),
  at: Timestamp,
  /** Until when the word counts. */
  goodUntil: Timestamp,
});
/** See {@link EvidenceView}. */
export type EvidenceView = z.infer<typeof EvidenceView>;

/** A request as its requester, its approvers and auditors see it. */
export const RequestView = z.object({
  id: z.string(),
  /** Goes up with every change; the `ETag` of the request. */
  version: z.int(),
  state: z.enum(REQUEST_STATES),
  requester: PersonView,
  role: z.object({
    id: z.string(),
    title: z.string(),
    gives: z.string(),
    workspace: z.string(),
    sensitivity: z.enum(SENSITIVITIES),
    credential: z.enum(CREDENTIAL_KINDS),
  }),
  purpose: z.string(),
  ticket: z.nullable(z.string()),
  codeContext: z.nullable(CodeContext),
  minutes: z.int(),
  /** When access is to begin, where not at once. */
  startsAt: z.nullable(Timestamp),
  breakGlass: z.boolean(),
  /** Present once an approver lowered the window. */
  approvedMinutes: z.nullable(z.int()),
  stages: z.array(StageView),
  /** For whom the caller would decide as a delegate; null where for nobody but themselves. */
  actingFor: z._default(z.nullable(PersonView), null),
  approvals: z.array(ApprovalView),
  /** The hash that approvals are bound to. */
  hash: z.string(),
  policyVersion: z.string(),
  because: z.array(z.string()),
  createdAt: Timestamp,
  /** When an unanswered request lapses. */
  lapsesAt: Timestamp,
  grantId: z.nullable(z.string()),
  /** The grant that would last longer, where that is what is asked for. */
  extends: z.nullable(z.string()),
  /** What callbacks said; empty where none was asked. */
  evidence: z.array(EvidenceView),
});
/** See {@link RequestView}. */
export type RequestView = z.infer<typeof RequestView>;

/** How an emergency access was looked at afterwards. */
export const ReviewView = z.object({
  state: z.enum(['pending', ...REVIEW_VERDICTS]),
  reviewer: z.nullable(PersonView),
  comment: z.nullable(z.string()),
  at: z.nullable(Timestamp),
});
/** See {@link ReviewView}. */
export type ReviewView = z.infer<typeof ReviewView>;

/** A grant with the facts that were read, not hoped. */
export const GrantView = z.object({
  id: z.string(),
  /** Goes up with every change of `state`; the `ETag` of the grant, for whoever decides on that state. */
  version: z.int(),
  requestId: z.string(),
  state: z.enum(GRANT_STATES),
  endReason: z.nullable(z.enum(END_REASONS)),
  principal: PersonView,
  role: z.object({
    id: z.string(),
    title: z.string(),
    workspace: z.object({ name: z.string(), host: z.string() }),
    credential: z.enum(CREDENTIAL_KINDS),
  }),
  purpose: z.string(),
  minutes: z.int(),
  createdAt: Timestamp,
  /** Until then nothing is done, where access was asked for later. */
  startsAt: z.nullable(Timestamp),
  activatedAt: z.nullable(Timestamp),
  /** When the window ends; known from activation on. */
  endsAt: z.nullable(Timestamp),
  membershipPresentAt: z.nullable(Timestamp),
  membershipAbsentAt: z.nullable(Timestamp),
  /**
   * What is left after the grant's end of the tokens that were issued under it: `tokenOnly` is still taken but carries
   * no right any more; `right` carries it, because the membership is not seen gone yet or another grant keeps it.
   */
  outlives: z.nullable(z.object({ until: Timestamp, what: z.enum(OUTLIVING_KINDS) })),
  /** What stands in the way, in words, while a grant is provisioning, stuck or failed. */
  trouble: z.nullable(z.string()),
  /** The first grant of the chain of extensions that this one belongs to. */
  chainId: z.string(),
  /** The grant that this one extends. */
  extends: z.nullable(z.string()),
  /** The grant that extends this one: it is active where this one has ended. */
  successor: z.nullable(z.string()),
  /** Since when the role has been held without a gap. */
  heldSince: z.nullable(Timestamp),
  /** What became of the review, where access was taken by breaking the glass. */
  review: z.nullable(ReviewView),
});
/** See {@link GrantView}. */
export type GrantView = z.infer<typeof GrantView>;

const CREDENTIAL = {
  leaseId: z.string(),
  grantId: z.string(),
  host: z.string(),
  /** From when a token must not be used any more; never after the grant's end. */
  expiresAt: Timestamp,
};

/**
 * What to work with under a grant. Never stored: a replay names the same lease and mints afresh. A `bearer` is a token
 * of the role's service principal; with an `assumption` the holder asks the workspace for one of their own. A
 * `personal_token` is one of the service principal's too, which lives as long as the grant and is deleted at its end.
 */
export const CredentialView = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('bearer'),
    ...CREDENTIAL,
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
  }),
  z.object({
    kind: z.literal('assumption'),
    ...CREDENTIAL,
    /** The group whose rights the token is to have in the place of the holder's own. */
    assumeGroup: z.string(),
  }),
  z.object({
    kind: z.literal('personal_token'),
    ...CREDENTIAL,
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
    /** What it exposes, in a sentence for whoever puts it anywhere. */
    warning: z.string(),
  }),
]);
/** See {@link CredentialView}. */
export type CredentialView = z.infer<typeof CredentialView>;

/** What happened, for the people it concerns. */
export const EVENT_KINDS = [
  'request.created',
  'request.approval_added',
  /** What is known about the requester is too old to grant on: a silent refresh of their sign-in completes it. */
  'request.awaiting_requester',
  /** The role or the policy changed: the request is judged anew. */
  'request.reopened',
  'request.approved',
  'request.denied',
  'request.cancelled',
  'request.lapsed',
  /** Access is committed to and waits for its start, or for its holder. */
  'grant.scheduled',
  'grant.provisioning',
  'grant.active',
  /** The grant has ended, and another one that follows it without a gap is active. */
  'grant.extended',
  /** Somebody took access in an emergency, which nobody approved: it waits for a review. */
  'grant.break_glass',
  'grant.reviewed',
  'grant.revoking',
  'grant.revoke_stuck',
  'grant.ended',
  'grant.failed',
  /** Somebody may decide for somebody else for a time, or no more; both are told. */
  'delegation.created',
  'delegation.revoked',
] as const;

/** One event; `cursor` is the SSE id and the `after` of the next poll. */
export const EventView = z.object({
  cursor: z.string(),
  kind: z.enum(EVENT_KINDS),
  at: Timestamp,
  requestId: z.nullable(z.string()),
  grantId: z.nullable(z.string()),
});
/** See {@link EventView}. */
export type EventView = z.infer<typeof EventView>;

/** The query of a list. */
export const PageQuery = z.object({
  /** The `nextCursor` of the page before. */
  cursor: z.optional(z.string().check(z.regex(/^[\w-]+$/), z.maxLength(200))),
  limit: z._default(
    z.coerce.number().check(z.int(), z.minimum(1), z.maximum(PAGE_MAX_ROWS)),
    PAGE_DEFAULT_ROWS,
  ),
});

/** A page of rows; `nextCursor` is null on the last one. */
export function page<T extends z.core.$ZodType>(row: T) {
  return z.object({ items: z.array(row), nextCursor: z.nullable(z.string()) });
}

/** What an approver sends. `approvedMinutes` may only lower what was asked. */
export const ApproveBody = z.object({
  approvedMinutes: z.optional(z.int().check(z.minimum(1), z.maximum(WINDOW_MAX_MINUTES))),
  comment: z.optional(clientText(1_000)),
});

/** What somebody sends who denies or revokes. */
export const ReasonBody = z.object({ reason: clientText(1_000, 1) });

/** What somebody says who looks at an emergency access afterwards. */
export const ReviewBody = z.object({ verdict: z.enum(REVIEW_VERDICTS), comment: clientText(1_000, 1) });

/** What a link in a chat or a mail carries: it opens its request once for each person, and decides nothing. */
export const OpenLinkBody = z.object({ nonce: z.string().check(z.regex(/^[\w-]{43}$/)) });

/** What somebody sends who wants access to last longer. What is left out is as it was. */
export const ExtendBody = z.object({
  /** By how much the end moves; the role's usual window, as far as it fits, unless given. */
  minutes: z.optional(z.int()),
  purpose: z.optional(Purpose),
  ticket: z.optional(clientText(200)),
  /** An emergency: see {@link RequestCreate}. */
  breakGlass: z.optional(z.boolean()),
});

/** A POST without content. */
export const EmptyBody = z.object({});

/** The parameter of an address that names one thing. */
export const ById = z.object({ id: clientText(100, 1) });
