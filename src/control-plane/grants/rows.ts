import { type Insertable, type Kysely, type Selectable, sql } from 'kysely';

import { hasCode, OamError } from '../../domain/errors.ts';
import type { Grant } from '../../domain/grant.ts';
import type { Outliving } from '../../domain/lease.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Membership } from '../../domain/membership.ts';
import type { Review } from '../../domain/review.ts';
import { roleText } from '../../domain/role-text.ts';
import { CREDENTIAL_KINDS, type Role, tokensKeepRight } from '../../domain/role.ts';
import { audienceText } from '../approvers/audience.ts';
import { type Change, toDate, toMs } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import { parseRole } from '../roles/snapshot.ts';
import { among } from '../store/among.ts';
import type { AccessGrantTable, Database } from '../store/tables.ts';

/**
 * A grant with all that ending it takes, whatever has become of the catalogue and of the role as it was stored: of the
 * role's text nothing is read.
 */
export interface HeldGrant extends Grant {
  readonly team: string;
  /** Origin of the role's workspace. */
  readonly workspaceHost: string;
  readonly membership: Membership;
  /** Databricks' id of the member, once it was looked up. */
  readonly memberId: string | undefined;
  /** How soon its removal is due among others: 0 for a role of high sensitivity or of one that cannot be read, up to 2. */
  readonly urgency: number;
  /** See `tokensKeepRight` in `role.ts`; where the role cannot be read, the worse is taken to be so. */
  readonly tokensKeepRight: boolean;
}

/** A grant with the role that it was given for. */
export interface StoredGrant extends HeldGrant {
  readonly role: Role;
  readonly roleHash: string;
  readonly purpose: string;
}

/** What a new grant is stored with. How urgent its end will be follows from the role. */
export type NewGrant = Omit<StoredGrant, ComputedField>;

/** What the store computes from the role. */
export type ComputedField = 'urgency' | 'tokensKeepRight';

type GrantRow = Selectable<AccessGrantTable>;

/** What {@link HeldGrant} is read from. */
export const HELD_COLUMNS = [
  'id',
  'version',
  'request_id',
  'iss',
  'sub',
  'role_id',
  'team',
  'workspace_host',
  'group_id',
  'member_key',
  'member_id',
  'minutes',
  'run_grace_minutes',
  'state',
  'end_reason',
  'given_up',
  'created_at',
  'deadline_at',
  'activated_at',
  'ends_at',
  'membership_present_at',
  'membership_absent_at',
  'outlives_until',
  'outlives_what',
  'trouble',
  'chain_id',
  'extends_id',
  'successor_id',
  'held_since',
  'starts_at',
  'review',
  'reviewer_iss',
  'reviewer_sub',
  'review_comment',
  'reviewed_at',
  'urgency',
  'credential',
] as const satisfies readonly (keyof GrantRow)[];

/** The states before a grant's end has begun. */
export const LIVE_STATES = ['scheduled', 'provisioning', 'active'] as const;

/** Writes a new grant. */
export async function insertGrant(change: Change, grant: NewGrant): Promise<void> {
  await change.trx.insertInto('access_grant').values(toRow(grant)).execute();
}

/** Reads a grant and keeps it from changing until the transaction ends. */
export async function lockGrant(change: Change, id: string): Promise<StoredGrant | undefined> {
  if (!isId(id)) return undefined;
  const row = await change.trx
    .selectFrom('access_grant')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  return row && fromRow(row);
}

/** Reads a grant. */
export async function findGrant(db: Kysely<Database>, id: string): Promise<StoredGrant | undefined> {
  if (!isId(id)) return undefined;
  const row = await db.selectFrom('access_grant').selectAll().where('id', '=', id).executeTakeFirst();
  return row && fromRow(row);
}

/** Reads grants without their roles and keeps them from changing until the transaction ends. */
export async function lockHeldGrants(change: Change, ids: readonly string[]): Promise<HeldGrant[]> {
  if (ids.length === 0) return [];
  const rows = await change.trx
    .selectFrom('access_grant')
    .select(HELD_COLUMNS)
    .where('id', '=', among('uuid', ids))
    // One order for all: two changes that take the same rows cannot wait for each other.
    .orderBy('id')
    .forUpdate()
    .execute();
  return rows.map(heldFromRow);
}

/** A grant as it was read, and as it is now. */
export interface GrantChange {
  readonly previous: HeldGrant;
  readonly next: HeldGrant;
}

/** What a grant's steps change, with PostgreSQL's names of the types. */
const CHANGING_COLUMNS = {
  version: 'integer',
  state: 'text',
  end_reason: 'text',
  given_up: 'boolean',
  deadline_at: 'timestamptz',
  activated_at: 'timestamptz',
  ends_at: 'timestamptz',
  membership_present_at: 'timestamptz',
  membership_absent_at: 'timestamptz',
  outlives_until: 'timestamptz',
  outlives_what: 'text',
  trouble: 'text',
  successor_id: 'uuid',
  held_since: 'timestamptz',
  review: 'text',
  reviewer_iss: 'text',
  reviewer_sub: 'text',
  review_comment: 'text',
  reviewed_at: 'timestamptz',
} as const satisfies Partial<Record<keyof GrantRow, string>>;

const CHANGING = Object.keys(CHANGING_COLUMNS);

/**
 * Writes grants where the store still holds the versions that they were made from: all of them or none.
 *
 * @throws {OamError} `precondition_failed` where somebody was faster.
 */
export async function saveGrants(change: Change, changes: readonly GrantChange[]): Promise<void> {
  if (changes.length === 0) return;
  const rows = changes.map(({ previous, next }) => ({
    ...heldToRow(next),
    read_version: previous.version,
  }));
  const types = Object.entries(CHANGING_COLUMNS).map(([name, type]) => `${name} ${type}`);
  const result = await sql`
    update oam.access_grant as stored
    set ${sql.raw(CHANGING.map((name) => `${name} = next.${name}`).join(', '))}
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as next(id uuid, read_version integer, ${sql.raw(types.join(', '))})
    where stored.id = next.id and stored.version = next.read_version`.execute(change.trx);
  if (result.numAffectedRows !== BigInt(changes.length)) {
    throw new OamError(
      'precondition_failed',
      'This access has changed since you looked at it. Look at it again and decide anew.',
    );
  }
}

/** Writes one grant; as {@link saveGrants}. */
export async function saveGrant(change: Change, previous: HeldGrant, next: HeldGrant): Promise<void> {
  await saveGrants(change, [{ previous, next }]);
}

/**
 * A grant out of its row.
 *
 * @throws {OamError} `role_unreadable` where the role as it was stored cannot be read.
 */
export function fromRow(row: GrantRow): StoredGrant {
  return {
    ...heldFromRow(row),
    role: readRole(row),
    roleHash: row.role_hash,
    purpose: row.purpose,
  };
}

function readRole(row: GrantRow): Role {
  try {
    return parseRole(row.role);
  } catch (error) {
    throw new OamError(
      'role_unreadable',
      'What was stored of the role of this access cannot be read. It ends in time all the same; tell your administrator.',
      { detail: row.id, cause: error },
    );
  }
}

/** The grants out of their rows, without those whose roles cannot be read: an alarm, and no reason to show nothing. */
export function readableGrants(rows: readonly GrantRow[], logger: Logger): StoredGrant[] {
  return rows.flatMap((row) => {
    try {
      return [fromRow(row)];
    } catch (error) {
      if (!hasCode(error, 'role_unreadable')) throw error;
      logger.error('The role of a grant cannot be read as it was stored.', {
        grantId: row.id,
        roleId: row.role_id,
      });
      return [];
    }
  });
}

/** A grant out of those of its columns that ending it takes. */
export function heldFromRow(row: Pick<GrantRow, (typeof HELD_COLUMNS)[number]>): HeldGrant {
  return {
    id: row.id,
    version: row.version,
    requestId: row.request_id,
    principal: { iss: row.iss, sub: row.sub },
    roleId: row.role_id,
    team: row.team,
    workspaceHost: row.workspace_host,
    membership: { groupId: row.group_id, memberKey: row.member_key },
    memberId: row.member_id ?? undefined,
    minutes: row.minutes,
    runGraceMinutes: row.run_grace_minutes ?? undefined,
    state: row.state,
    endReason: row.end_reason ?? undefined,
    givenUp: row.given_up,
    createdAtMs: toMs(row.created_at),
    deadlineAtMs: toMs(row.deadline_at),
    activatedAtMs: toMs(row.activated_at),
    endsAtMs: toMs(row.ends_at),
    membershipPresentAtMs: toMs(row.membership_present_at),
    membershipAbsentAtMs: toMs(row.membership_absent_at),
    outlives: outlivesOf(row),
    trouble: row.trouble ?? undefined,
    chainId: row.chain_id,
    extendsId: row.extends_id ?? undefined,
    successorId: row.successor_id ?? undefined,
    heldSinceMs: toMs(row.held_since),
    startsAtMs: toMs(row.starts_at),
    review: reviewOf(row),
    urgency: row.urgency,
    tokensKeepRight: keepRight(row.credential),
  };
}

function keepRight(credential: string | null): boolean {
  const kind = CREDENTIAL_KINDS.find((each) => each === credential);
  return kind === undefined || tokensKeepRight(kind);
}

function outlivesOf(row: Pick<GrantRow, 'outlives_until' | 'outlives_what'>): Outliving | undefined {
  const untilMs = toMs(row.outlives_until);
  return untilMs === undefined || row.outlives_what === null
    ? undefined
    : { untilMs, what: row.outlives_what };
}

function heldToRow(grant: Omit<HeldGrant, ComputedField>) {
  return {
    id: grant.id,
    version: grant.version,
    request_id: grant.requestId,
    iss: grant.principal.iss,
    sub: grant.principal.sub,
    role_id: grant.roleId,
    team: grant.team,
    workspace_host: grant.workspaceHost,
    group_id: grant.membership.groupId,
    member_key: grant.membership.memberKey,
    member_id: grant.memberId ?? null,
    minutes: grant.minutes,
    run_grace_minutes: grant.runGraceMinutes ?? null,
    state: grant.state,
    end_reason: grant.endReason ?? null,
    given_up: grant.givenUp,
    created_at: toDate(grant.createdAtMs),
    deadline_at: toDate(grant.deadlineAtMs),
    activated_at: toDate(grant.activatedAtMs),
    ends_at: toDate(grant.endsAtMs),
    membership_present_at: toDate(grant.membershipPresentAtMs),
    membership_absent_at: toDate(grant.membershipAbsentAtMs),
    outlives_until: toDate(grant.outlives?.untilMs),
    outlives_what: grant.outlives?.what ?? null,
    trouble: grant.trouble ?? null,
    chain_id: grant.chainId,
    extends_id: grant.extendsId ?? null,
    successor_id: grant.successorId ?? null,
    held_since: toDate(grant.heldSinceMs),
    starts_at: toDate(grant.startsAtMs),
    ...reviewColumns(grant.review),
  };
}

function reviewOf(
  row: Pick<GrantRow, 'review' | 'reviewer_iss' | 'reviewer_sub' | 'review_comment' | 'reviewed_at'>,
): Review | undefined {
  if (row.review === null) return undefined;
  if (row.review === 'pending') return { state: 'pending' };
  return {
    state: 'reviewed',
    verdict: row.review,
    reviewer: { iss: row.reviewer_iss ?? '', sub: row.reviewer_sub ?? '' },
    comment: row.review_comment ?? '',
    atMs: toMs(row.reviewed_at) ?? 0,
  };
}

function reviewColumns(review: Review | undefined) {
  const reviewed = review?.state === 'reviewed' ? review : undefined;
  return {
    review: reviewed?.verdict ?? (review === undefined ? null : ('pending' as const)),
    reviewer_iss: reviewed?.reviewer.iss ?? null,
    reviewer_sub: reviewed?.reviewer.sub ?? null,
    review_comment: reviewed?.comment ?? null,
    reviewed_at: toDate(reviewed?.atMs),
  };
}

function toRow(grant: NewGrant): Insertable<AccessGrantTable> {
  return {
    ...heldToRow(grant),
    role: roleText(grant.role),
    role_hash: grant.roleHash,
    purpose: grant.purpose,
    reviewers: grant.review === undefined ? null : audienceText(grant.role.approval),
  };
}
