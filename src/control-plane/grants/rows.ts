import { type Insertable, type Kysely, type RawBuilder, type Selectable, sql } from 'kysely';

import { OamError } from '../../domain/errors.ts';
import type { Grant } from '../../domain/grant.ts';
import type { Outliving } from '../../domain/lease.ts';
import type { Membership } from '../../domain/membership.ts';
import type { Review } from '../../domain/review.ts';
import type { Role } from '../../domain/role.ts';
import type { EpochMs } from '../../domain/time.ts';
import { type Change, toDate, toMs } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import { parseRole, roleText } from '../roles/snapshot.ts';
import type { AccessGrantTable, Database } from '../store/tables.ts';

/** A grant with everything that is needed to end it, whatever has become of the catalogue. */
export interface StoredGrant extends Grant {
  readonly role: Role;
  readonly roleHash: string;
  readonly team: string;
  /** Origin of the role's workspace. */
  readonly workspaceHost: string;
  readonly membership: Membership;
  /** Databricks' id of the member, once it was looked up. */
  readonly memberId: string | undefined;
  readonly purpose: string;
}

/** The states before a grant's end has begun. */
export const LIVE_STATES = ['scheduled', 'provisioning', 'active'] as const;

/** Writes a new grant. */
export async function insertGrant(change: Change, grant: StoredGrant): Promise<void> {
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

/** Locks up to `limit` live grants whose deadline has come; those that another replica holds are left to it. */
export async function lockOverdueGrants(change: Change, limit: number): Promise<StoredGrant[]> {
  const rows = await change.trx
    .selectFrom('access_grant')
    .selectAll()
    .where('state', 'in', LIVE_STATES)
    .where('deadline_at', '<=', toDate(change.nowMs))
    .orderBy('deadline_at')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute();
  return rows.map(fromRow);
}

/** True if a grant other than this one demands the same membership: see `demandsMembership`. */
export async function isDemandedByAnother(db: Kysely<Database>, grant: StoredGrant): Promise<boolean> {
  const other = await db
    .selectFrom('access_grant')
    .select('id')
    .where('group_id', '=', grant.membership.groupId)
    .where('member_key', '=', grant.membership.memberKey)
    .where('state', 'in', LIVE_STATES)
    .where((eb) => eb.or([eb('state', '<>', 'scheduled'), eb('starts_at', 'is', null)]))
    .where('id', '<>', grant.id)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

/** The ids of a grant and of all that it extends, for a query: credentials were issued under any of them. */
export function idsOfChain({ chainId }: Pick<Grant, 'chainId'>): RawBuilder<string> {
  return sql<string>`(select id from oam.access_grant where chain_id = ${chainId})`;
}

/** When the last token under a grant, or under one that it extends, expires, where that is still to come. */
export async function lastTokenExpiry(
  change: Change,
  grant: Pick<Grant, 'chainId'>,
): Promise<EpochMs | undefined> {
  const row = await change.trx
    .selectFrom('credential_lease')
    .select(sql<Date | null>`max(expires_at)`.as('last'))
    .where('grant_id', 'in', idsOfChain(grant))
    .where('expires_at', '>', toDate(change.nowMs))
    .executeTakeFirst();
  return toMs(row?.last ?? null);
}

/**
 * Writes a grant where the store still holds the version that it was made from.
 *
 * @throws {OamError} `precondition_failed` where somebody was faster.
 */
export async function saveGrant(change: Change, previous: StoredGrant, next: StoredGrant): Promise<void> {
  const { id, ...values } = toRow(next);
  const result = await change.trx
    .updateTable('access_grant')
    .set(values)
    .where('id', '=', id)
    .where('version', '=', previous.version)
    .executeTakeFirst();
  if (result.numUpdatedRows !== 1n) {
    throw new OamError(
      'precondition_failed',
      'This access has changed since you looked at it. Look at it again and decide anew.',
    );
  }
}

/** A grant out of its row. */
export function fromRow(row: Selectable<AccessGrantTable>): StoredGrant {
  return {
    id: row.id,
    version: row.version,
    requestId: row.request_id,
    principal: { iss: row.iss, sub: row.sub },
    roleId: row.role_id,
    team: row.team,
    role: parseRole(row.role),
    roleHash: row.role_hash,
    workspaceHost: row.workspace_host,
    membership: { groupId: row.group_id, memberKey: row.member_key },
    memberId: row.member_id ?? undefined,
    minutes: row.minutes,
    runGraceMinutes: row.run_grace_minutes ?? undefined,
    purpose: row.purpose,
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
  };
}

function outlivesOf(row: Selectable<AccessGrantTable>): Outliving | undefined {
  const untilMs = toMs(row.outlives_until);
  return untilMs === undefined || row.outlives_what === null
    ? undefined
    : { untilMs, what: row.outlives_what };
}

function toRow(grant: StoredGrant): Insertable<AccessGrantTable> {
  return {
    id: grant.id,
    version: grant.version,
    request_id: grant.requestId,
    iss: grant.principal.iss,
    sub: grant.principal.sub,
    role_id: grant.roleId,
    team: grant.team,
    role: roleText(grant.role),
    role_hash: grant.roleHash,
    workspace_host: grant.workspaceHost,
    group_id: grant.membership.groupId,
    member_key: grant.membership.memberKey,
    member_id: grant.memberId ?? null,
    minutes: grant.minutes,
    run_grace_minutes: grant.runGraceMinutes ?? null,
    purpose: grant.purpose,
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

function reviewOf(row: Selectable<AccessGrantTable>): Review | undefined {
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
