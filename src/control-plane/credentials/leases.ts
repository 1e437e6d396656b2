import { randomUUID } from 'node:crypto';

import { type Selectable, sql } from 'kysely';

import { OamError } from '../../domain/errors.ts';
import { atLeaseEnd, issueLease, type Lease, type LeaseStatus, renewLease } from '../../domain/lease.ts';
import type { OutlivingKind } from '../../domain/lifecycle.ts';
import type { Principal } from '../../domain/principal.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { LeaseView } from '../../protocol/leases.ts';
import { type Change, storeNowMs, toDate, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type ChainEnd, leasesOfChains } from '../grants/chain-leases.ts';
import { noSuchGrant, seesGrant } from '../grants/lists.ts';
import { findGrant } from '../grants/rows.ts';
import type { Intent } from '../http/idempotency.ts';
import { newestFirst, type PageQuery, toPage } from '../http/pages.ts';
import { timestamp } from '../requests/view.ts';
import { among } from '../store/among.ts';
import type { CredentialLeaseTable } from '../store/credential-tables.ts';

/**
 * The lease of an intent's key: a new one, or the earlier one, renewed. The grant is locked.
 *
 * @throws {OamError} `idempotency_key_reused` where the key was used for another grant, `grant_not_active`.
 */
export async function openLease(
  change: Change,
  { caller, key }: Intent,
  grantId: string,
  expiresAtMs: EpochMs,
  session: string | undefined,
): Promise<Lease> {
  const lease = issueLease({ id: randomUUID(), grantId, expiresAtMs }, change.nowMs);
  const added = await change.trx
    .insertInto('credential_lease')
    .values({
      id: lease.id,
      grant_id: grantId,
      iss: caller.iss,
      sub: caller.sub,
      idempotency_key: key,
      session,
      state: 'issued',
      issued_at: toDate(lease.issuedAtMs),
      expires_at: toDate(expiresAtMs),
    })
    .onConflict((conflict) => conflict.columns(['iss', 'sub', 'idempotency_key']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (added !== undefined) return lease;
  const earlier = await change.trx
    .selectFrom('credential_lease')
    .selectAll()
    .where('iss', '=', caller.iss)
    .where('sub', '=', caller.sub)
    .where('idempotency_key', '=', key)
    .forUpdate()
    .executeTakeFirstOrThrow();
  if (earlier.grant_id !== grantId) {
    throw new OamError(
      'idempotency_key_reused',
      'This Idempotency-Key was used for something else. Send a new key with a new wish.',
    );
  }
  const renewed = renewLease(fromRow(earlier), expiresAtMs, change.nowMs);
  await change.trx
    .updateTable('credential_lease')
    .set({
      state: 'renewed',
      renewals: earlier.renewals + 1,
      renewed_at: toDate(change.nowMs),
      expires_at: toDate(renewed.expiresAtMs),
      ...(session !== undefined && { session }),
    })
    .where('id', '=', earlier.id)
    .execute();
  return renewed;
}

/**
 * The end of grants, for their leases and those of the grants that they extend: what the rules' `endWithGrant` says, for
 * all of them in one statement. A lease changes only while its grant is locked, so they are still what they were.
 */
export async function endLeases(change: Change, grants: readonly ChainEnd[]): Promise<void> {
  const open = (await leasesOfChains(change, grants)).filter(
    ({ state }) => state === 'issued' || state === 'renewed',
  );
  if (open.length === 0) return;
  const over = sql<boolean>`expires_at <= ${toDate(change.nowMs)}`;
  await change.trx
    .updateTable('credential_lease')
    .set({
      state: sql`case when ${over} then 'expired' else 'outlives' end`,
      outlives_what: sql`case when ${over} then null else 'right' end`,
    })
    .where(
      'id',
      '=',
      among(
        'uuid',
        open.map(({ id }) => id),
      ),
    )
    .execute();
}

/** What is left of the credentials that outlive grants, and those that these extend. */
export async function tellWhatOutlives(
  change: Change,
  grants: readonly ChainEnd[],
  what: OutlivingKind,
): Promise<void> {
  const left = (await leasesOfChains(change, grants)).filter(({ state }) => state === 'outlives');
  if (left.length === 0) return;
  await change.trx
    .updateTable('credential_lease')
    .set({ outlives_what: what })
    .where(
      'id',
      '=',
      among(
        'uuid',
        left.map(({ id }) => id),
      ),
    )
    .execute();
}

/**
 * The leases of a grant, the newest first, for those who may know of the grant.
 *
 * @throws {OamError} `not_found`, `bad_request` for a foreign cursor.
 */
export async function listLeases(
  core: Core,
  caller: Principal,
  grantId: string,
  query: PageQuery,
): Promise<{ items: LeaseView[]; nextCursor: string | null }> {
  const grant = await findGrant(core.db, grantId);
  if (grant === undefined || !seesGrant(core, caller, grant)) throw noSuchGrant(grantId);
  const leases = core.db.selectFrom('credential_lease').selectAll().where('grant_id', '=', grant.id);
  const rows = await newestFirst(leases, 'issued_at', query).execute();
  const nowMs = await storeNowMs(core.db);
  const views = rows.slice(0, query.limit).map((row) => viewLease(row, nowMs));
  return toPage(rows, query.limit, (row) => [row.issued_at.getTime(), row.id], views);
}

/** A lease out of its row. */
export function fromRow(row: Selectable<CredentialLeaseTable>): Lease {
  return {
    id: row.id,
    grantId: row.grant_id,
    issuedAtMs: toMs(row.issued_at),
    expiresAtMs: toMs(row.expires_at),
    status: statusOf(row),
  };
}

function statusOf(row: Selectable<CredentialLeaseTable>): LeaseStatus {
  switch (row.state) {
    case 'issued':
    case 'expired':
      return { state: row.state };
    case 'renewed':
      return { state: 'renewed', renewals: row.renewals, renewedAtMs: toMs(row.renewed_at ?? row.issued_at) };
    case 'revoked':
      return { state: 'revoked', revokedAtMs: toMs(row.revoked_at ?? row.expires_at) };
    case 'outlives':
      return {
        state: 'outlives',
        outliving: { untilMs: toMs(row.expires_at), what: row.outlives_what ?? 'right' },
      };
  }
}

/** A lease as those read it who may know of its grant. */
export function viewLease(row: Selectable<CredentialLeaseTable>, nowMs: EpochMs): LeaseView {
  const { id, grantId, issuedAtMs, expiresAtMs, status } = atLeaseEnd(fromRow(row), nowMs);
  return {
    id,
    grantId,
    state: status.state,
    issuedAt: timestamp(issuedAtMs),
    expiresAt: timestamp(expiresAtMs),
    renewals: row.renewals,
    renewedAt: timestamp(toMs(row.renewed_at)),
    revokedAt: timestamp(toMs(row.revoked_at)),
    outlives:
      status.state === 'outlives'
        ? { until: timestamp(status.outliving.untilMs), what: status.outliving.what }
        : null,
  };
}
