import * as z from 'zod/mini';

import { ASSET_KINDS } from '../domain/asset-right.ts';
import { END_REASONS, GRANT_STATES, OUTLIVING_KINDS, REQUEST_STATES } from '../domain/lifecycle.ts';
import { REVIEW_VERDICTS } from '../domain/review.ts';
import { CREDENTIAL_KINDS, SENSITIVITIES } from '../domain/role.ts';
import { StageView } from './approvers.ts';
import { PAGE_DEFAULT_ROWS, PAGE_MAX_ROWS } from './limits.ts';

/** Text of a client's, of at most so many characters: the store cannot hold the character NUL. */
export function clientText(maxCharacters: number, minCharacters = 0) {
  return z.string().check(z.regex(/^[^\u0000]*$/), z.minLength(minCharacters), z.maxLength(maxCharacters));
}

/** What access is for. Its length is judged by the server, with a code of its own. */
export const Purpose = z.string().check(z.regex(/^[^\u0000]*$/));

/** A point in time on the wire: ISO 8601 in UTC with milliseconds. */
export const Timestamp = z.iso.datetime();

/** Somebody, for others to read. */
export const PersonView = z.object({
  iss: z.string(),
  sub: z.string(),
  userName: z.string(),
  displayName: z.string(),
});
/** See {@link PersonView}. */
export type PersonView = z.infer<typeof PersonView>;

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

/** Who ended somebody's access before its time, and what they said of it; null where the record does not have it yet. */
export const RevocationView = z.object({ by: z.nullable(PersonView), reason: z.nullable(z.string()) });
/** See {@link RevocationView}. */
export type RevocationView = z.infer<typeof RevocationView>;

/** A grant with the facts that were read, not hoped. */
export const GrantView = z.object({
  id: z.string(),
  /** Goes up with every change of `state`; the `ETag` of the grant, for whoever decides on that state. */
  version: z.int(),
  requestId: z.string(),
  state: z.enum(GRANT_STATES),
  endReason: z.nullable(z.enum(END_REASONS)),
  /** Null where nobody revoked it. */
  revocation: z._default(z.nullable(RevocationView), null),
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
  /** Since when it is being taken away; null before, and once it is seen to be gone. */
  removingSince: z.nullable(Timestamp),
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

/** The query of a list. */
export const PageQuery = z.object({
  /** The `nextCursor` of the page before. */
  cursor: z.optional(z.string().check(z.regex(/^[\w-]+$/), z.maxLength(200))),
  limit: z._default(
    z.coerce.number().check(z.int(), z.minimum(1), z.maximum(PAGE_MAX_ROWS)),
    PAGE_DEFAULT_ROWS,
  ),
});

/** A query's yes or no; no unless said. */
export const Flag = z.prefault(
  z.pipe(
    z.enum(['true', 'false']),
    z.transform((value) => value === 'true'),
  ),
  'false',
);

/** A page of rows; `nextCursor` is null on the last one. */
export function page<T extends z.core.$ZodType>(row: T) {
  return z.object({ items: z.array(row), nextCursor: z.nullable(z.string()) });
}

/** What somebody sends who denies or revokes. */
export const ReasonBody = z.object({ reason: clientText(1_000, 1) });

/** A POST without content. */
export const EmptyBody = z.object({});

/** The parameter of an address that names one thing. */
export const ById = z.object({ id: clientText(100, 1) });
