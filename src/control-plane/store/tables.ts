import type { ColumnType, Generated } from 'kysely';

import type { EndReason, GrantState, OutlivingKind, RequestState } from '../../domain/lifecycle.ts';
import type { ReviewVerdict } from '../../domain/review.ts';
import type {
  AuditAnchorTable,
  AuditChainTable,
  AuditDeliveryTable,
  AuditReadingTable,
  AuditTable,
} from './audit-tables.ts';
import type {
  CredentialLeaseTable,
  PersonalTokenTable,
  SigningKeyTable,
  TokenSweepTable,
} from './credential-tables.ts';
import type {
  DirectoryContactTable,
  DirectoryGroupTable,
  DirectoryMembershipTable,
  DirectoryUserTable,
} from './directory-tables.ts';
import type { JsonColumn, NullableJsonColumn } from './json-columns.ts';
import type {
  NoticeCauseTable,
  NoticeTable,
  RequestLinkOpenedTable,
  RequestLinkTable,
} from './notice-tables.ts';
import type { RunnerNextTokenTable, RunnerSpentTokenTable, RunnerTable } from './runner-tables.ts';
import type {
  EndedSignInTable,
  PersonSessionTable,
  SessionSeenTable,
  WorkloadTokenTable,
} from './session-tables.ts';

/** The one row that moves the store's time; zero except in tests. */
export interface ClockTable {
  singleton: ColumnType<boolean, never, never>;
  ahead_ms: number;
}

/** The store's own identity. A store that was made anew has another. */
export interface StoreTable {
  singleton: ColumnType<boolean, never, never>;
  epoch: ColumnType<string, string | undefined, string>;
  /** When the store was last noticed to have been restored from a backup. */
  restored_at: Date | null;
}

/** Members of adopted groups whom OAM did not add. */
export interface StrangerTable {
  group_id: string;
  member_id: string;
  name: string;
  first_seen_at: Date;
  last_seen_at: Date;
}

/** What the identity provider last said about everybody who was ever here. */
export interface PrincipalTable {
  iss: string;
  sub: string;
  user_name: string;
  display_name: string;
  /** Null where the list overflowed. */
  groups: string[] | null;
  duty: string | null;
  attributes: ColumnType<unknown, string | undefined, string>;
  /** What a workload's token said; null for people. */
  workload: NullableJsonColumn;
  seen_at: Date;
  /** When a token last vouched for duty and attributes. */
  token_seen_at: ColumnType<Date, Date | undefined, Date>;
}

/** For a time, one approver's word may be given by somebody else. */
export interface DelegationTable {
  id: string;
  iss: string;
  sub: string;
  delegate_iss: string;
  delegate_sub: string;
  reason: string;
  starts_at: Date;
  ends_at: Date;
  created_at: Date;
  revoked_at: Date | null;
  revoker_iss: string | null;
  revoker_sub: string | null;
}

/** Requests. `role` is the row of the catalogue as it was when the request was judged. */
export interface AccessRequestTable {
  id: string;
  version: number;
  state: RequestState;
  iss: string;
  sub: string;
  role_id: string;
  team: string;
  role: JsonColumn;
  role_hash: string;
  minutes: number;
  approved_minutes: number | null;
  purpose: string;
  ticket: string | null;
  code_context: NullableJsonColumn;
  stages: JsonColumn;
  approvals: JsonColumn;
  /** The audience of the stage that is waited for: see `approvers/audience.ts`. */
  awaited: JsonColumn;
  hash: string;
  policy_version: string;
  because: JsonColumn;
  created_at: Date;
  lapses_at: Date;
  grant_id: string | null;
  /** The grant that would last longer; null where the role is asked for anew. */
  extends_grant_id: string | null;
  /** How long the role will have been held without a gap when that grant would end. */
  held_minutes: number | null;
  /** When access is to begin; null where at once. */
  starts_at: Date | null;
  break_glass: Generated<boolean>;
  /** What callbacks said of ticket and purpose. */
  evidence: JsonColumn;
}

/** Grants. */
export interface AccessGrantTable {
  id: string;
  version: number;
  request_id: string;
  iss: string;
  sub: string;
  role_id: string;
  team: string;
  run_grace_minutes: number | null;
  role: JsonColumn;
  role_hash: string;
  workspace_host: string;
  group_id: string;
  member_key: string;
  /** Databricks' id of the member, once it was looked up. */
  member_id: string | null;
  minutes: number;
  purpose: string;
  state: GrantState;
  end_reason: EndReason | null;
  given_up: boolean;
  created_at: Date;
  deadline_at: Date;
  activated_at: Date | null;
  ends_at: Date | null;
  membership_present_at: Date | null;
  membership_absent_at: Date | null;
  outlives_until: Date | null;
  outlives_what: OutlivingKind | null;
  trouble: string | null;
  /** The first grant of the chain of extensions that this one belongs to. */
  chain_id: string;
  extends_id: string | null;
  successor_id: string | null;
  held_since: Date | null;
  starts_at: Date | null;
  /** Null where the access was approved beforehand. */
  review: 'pending' | ReviewVerdict | null;
  reviewer_iss: string | null;
  reviewer_sub: string | null;
  review_comment: string | null;
  reviewed_at: Date | null;
  /** The audience of the review: see `approvers/audience.ts`; null where there is none. */
  reviewers: NullableJsonColumn;
  /** How soon its removal is due among others; 0 first. */
  urgency: ColumnType<number, never, never>;
  /** Of the role; null where it cannot be read. */
  credential: ColumnType<string | null, never, never>;
}

/** The Databricks groups that OAM writes to, once adopted, and who writes at the moment. */
export interface JitGroupTable {
  group_id: string;
  name: string;
  workspace_host: string;
  adoption: ColumnType<'unchecked' | 'adopted' | 'refused', string | undefined, string>;
  reason: string | null;
  adopted_at: Date | null;
  epoch: string | null;
  next_check_at: ColumnType<Date, Date | undefined, Date>;
  looked_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  next_look_at: ColumnType<Date, Date | undefined, Date>;
  /** Why strangers are not removed although that is due. */
  alarm: ColumnType<string | null, string | null | undefined, string | null>;
  lease_holder: string | null;
  lease_until: Date | null;
}

/** Writes to Databricks that the state demands. */
export interface EffectTable {
  id: ColumnType<number, never, never>;
  grant_id: string;
  kind: 'add_member' | 'remove_member';
  group_id: string;
  /** Which of a group's writes comes first: a removal's is its grant's, additions have 3. */
  urgency: Generated<number>;
  state: ColumnType<'due' | 'done' | 'dropped', 'due' | undefined, 'due' | 'done' | 'dropped'>;
  attempts: Generated<number>;
  next_attempt_at: Date;
  /** When a write was first begun: from then on Databricks may know of it. */
  begun_at: Date | null;
  /** When Databricks last said that it took the write. */
  written_at: Date | null;
  first_absent_at: Date | null;
  /** When an active grant's member was first missing from its group. */
  first_lost_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  created_at: Date;
  settled_at: Date | null;
}

/** Answers to POSTs by their keys. */
export interface IdempotencyTable {
  iss: string;
  sub: string;
  key: string;
  operation: string;
  body_hash: string;
  answer: NullableJsonColumn;
  created_at: Date;
}

/** What happened, and whom it concerns. */
export interface EventTable {
  id: ColumnType<number, never, never>;
  transaction_id: ColumnType<string, never, never>;
  kind: string;
  at: Date;
  request_id: string | null;
  grant_id: string | null;
  iss: string;
  sub: string;
  /** Those who may approve: see `approvers/audience.ts`. */
  audience: JsonColumn;
  team: string;
}

/** The tables of the schema `oam`. */
export interface Database {
  clock: ClockTable;
  store: StoreTable;
  principal: PrincipalTable;
  delegation: DelegationTable;
  runner: RunnerTable;
  runner_next_token: RunnerNextTokenTable;
  runner_spent_token: RunnerSpentTokenTable;
  access_request: AccessRequestTable;
  access_grant: AccessGrantTable;
  jit_group: JitGroupTable;
  effect: EffectTable;
  credential_lease: CredentialLeaseTable;
  personal_token: PersonalTokenTable;
  token_sweep: TokenSweepTable;
  idempotency: IdempotencyTable;
  event: EventTable;
  audit: AuditTable;
  audit_chain: AuditChainTable;
  audit_anchor: AuditAnchorTable;
  audit_delivery: AuditDeliveryTable;
  audit_reading: AuditReadingTable;
  session_seen: SessionSeenTable;
  person_session: PersonSessionTable;
  ended_sign_in: EndedSignInTable;
  signing_key: SigningKeyTable;
  stranger: StrangerTable;
  workload_token: WorkloadTokenTable;
  directory_user: DirectoryUserTable;
  directory_group: DirectoryGroupTable;
  directory_membership: DirectoryMembershipTable;
  directory_contact: DirectoryContactTable;
  notice_cause: NoticeCauseTable;
  notice: NoticeTable;
  request_link: RequestLinkTable;
  request_link_opened: RequestLinkOpenedTable;
}
