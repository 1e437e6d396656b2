import type { ColumnType, Generated } from 'kysely';

import type {
  EndReason,
  GrantState,
  LeaseState,
  OutlivingKind,
  RequestState,
} from '../../domain/lifecycle.ts';
import type { PersonalTokenState } from '../../domain/personal-token.ts';
import type { ReviewVerdict } from '../../domain/review.ts';
import type { KeyState } from '../issuer/key-states.ts';
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

/** A program that works under a grant on its own. */
export interface RunnerTable {
  id: string;
  grant_id: string;
  iss: string;
  sub: string;
  name: string;
  created_at: Date;
  code_sha256: string;
  code_expires_at: Date;
  machine_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  redeemed_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  token_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  token_expires_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  former_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  former_expires_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  renewed_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  ended_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  ended_by: ColumnType<RunnerEnd | null, RunnerEnd | null | undefined, RunnerEnd | null>;
}

/** Tokens that a runner had before its present one, as hashes. One that comes back late is in two hands. */
export interface RunnerSpentTokenTable {
  sha256: string;
  runner_id: string;
}

type RunnerEnd = 'grant_ended' | 'revoked' | 'misused' | 'never_started';

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

/** Tokens that workloads present, by their hashes. */
export interface WorkloadTokenTable {
  sha256: string;
  iss: string;
  sub: string;
  issued_at: Date;
  expires_at: Date;
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

/** Credentials that were issued; never the credentials themselves. */
export interface CredentialLeaseTable {
  id: string;
  grant_id: string;
  iss: string;
  sub: string;
  idempotency_key: string;
  state: LeaseState;
  issued_at: Date;
  expires_at: Date;
  renewals: Generated<number>;
  renewed_at: ColumnType<Date | null, Date | undefined, Date | null>;
  /** Present exactly in the state `revoked`. */
  revoked_at: ColumnType<Date | null, Date | undefined, Date | null>;
  /** Present exactly in the state `outlives`. */
  outlives_what: ColumnType<OutlivingKind | null, OutlivingKind | undefined, OutlivingKind | null>;
}

/** Personal access tokens that were made for leases, or are about to be; never their values. */
export interface PersonalTokenTable {
  id: string;
  /** The order in which they were committed to. */
  ordinal: ColumnType<number, never, never>;
  lease_id: string;
  workspace_host: string;
  state: PersonalTokenState;
  /** Databricks' id of the token. */
  databricks_id: string | null;
  created_at: Date;
  expires_at: Date;
  deleted_at: Date | null;
  first_absent_at: Date | null;
  /** Present exactly in the state `gone`. */
  gone_at: Date | null;
  attempts: Generated<number>;
  /** When it has to be looked after: one that is being made is given up then, and one that lives has come to its end. */
  next_attempt_at: Date;
}

/** When the tokens of a workspace are looked through next. */
export interface TokenSweepTable {
  workspace_host: string;
  next_look_at: Date;
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

/** The audit trail. */
export interface AuditTable {
  id: string;
  transaction_id: ColumnType<string, never, never>;
  at: Date;
  event: string;
  actor: NullableJsonColumn;
  request_id: string | null;
  grant_id: string | null;
  role_id: string | null;
  detail: JsonColumn;
  /** Null until the chainer has been there. */
  sequence: number | null;
  hash: string | null;
}

/** The head of the audit trail's chain. */
export interface AuditChainTable {
  singleton: ColumnType<boolean, never, never>;
  sequence: Generated<number>;
  hash: Generated<string>;
}

/** Signed words on where the chain was. */
export interface AuditAnchorTable {
  sequence: number;
  hash: string;
  at: Date;
  epoch: string;
  kid: string;
  jws: string;
}

/** How far each of those who are sent rows or anchors has come, and who sends at the moment. */
export interface AuditDeliveryTable {
  sink: string;
  position: Generated<number>;
  attempts: Generated<number>;
  next_attempt_at: Generated<Date>;
  trouble: string | null;
  lease_holder: string | null;
  lease_until: Date | null;
}

/** Tokens that have been used here, by a hash of what tells them apart, until they expire. */
export interface SessionSeenTable {
  iss: string;
  sub: string;
  token_hash: string;
  expires_at: Date;
}

/** A person's session, where sessions are limited. */
export interface PersonSessionTable {
  session_hash: string;
  began_at: Date;
  used_at: Date;
}

/** When a reading of the trail was last recorded, by who reads and what is asked for. */
export interface AuditReadingTable {
  iss: string;
  sub: string;
  query_hash: string;
  recorded_at: Date;
}

/** The keys that OAM signs with. */
export interface SigningKeyTable {
  purpose: string;
  kid: string;
  public_jwk: JsonColumn;
  /** Null once the key is retired. */
  sealed_private: Buffer | null;
  state: KeyState;
  /** Since when the key is published. */
  created_at: Generated<Date>;
  activated_at: Date | null;
  retired_at: Date | null;
  published_until: Date | null;
}

/** The tables of the schema `oam`. */
export interface Database {
  clock: ClockTable;
  store: StoreTable;
  principal: PrincipalTable;
  delegation: DelegationTable;
  runner: RunnerTable;
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
