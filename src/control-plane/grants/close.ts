import { atDeadline, beginRevoking, type Ending as EndingReason, giveUp } from '../../domain/grant.ts';
import type { AuditDebt } from '../audit/debt.ts';
import type { Actor } from '../audit/record.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { endLeases } from '../credentials/leases.ts';
import { lastTokenExpiry, lockOverdueGrants, saveGrant, type StoredGrant } from './rows.ts';
import { tellOfEnding } from './tell.ts';

const BATCH = 100;

/** Why a grant is ended, and at whose word. */
export interface Ending {
  readonly reason: EndingReason;
  readonly actor?: Actor;
  /** What the person who revokes says. */
  readonly comment?: string;
}

/**
 * Begins the end of a live grant: its state, the effect that removes the membership and the record, in one change.
 *
 * @throws {OamError} `grant_not_active`.
 */
export async function closeGrant(
  change: Change,
  debt: AuditDebt,
  grant: StoredGrant,
  ending: Ending,
): Promise<StoredGrant> {
  const next = beginRevoking(grant, ending.reason, await lastTokenExpiry(change, grant));
  await commitToRemoval(change, debt, grant, next, ending.actor, {
    ...(ending.comment !== undefined && { reason: ending.comment }),
  });
  return next;
}

/** Gives up a grant that cannot become active; what may have been written is removed. */
export async function abandonGrant(
  change: Change,
  debt: AuditDebt,
  grant: StoredGrant,
  trouble: string,
): Promise<void> {
  const next = giveUp(grant, trouble);
  if (next !== grant) await commitToRemoval(change, debt, grant, next);
}

/** Begins the end of every grant whose deadline has come, up to a hundred in one change. Returns how many. */
export async function closeOverdue(core: Pick<Core, 'db' | 'debt'>): Promise<number> {
  return inChange(core.db, async (change) => {
    const overdue = await lockOverdueGrants(change, BATCH);
    for (const grant of overdue) {
      const next = atDeadline(grant, change.nowMs, await lastTokenExpiry(change, grant));
      if (next !== grant) await commitToRemoval(change, core.debt, grant, next);
    }
    return overdue.length;
  });
}

async function commitToRemoval(
  change: Change,
  debt: AuditDebt,
  grant: StoredGrant,
  next: StoredGrant,
  actor?: Actor,
  detail: Readonly<Record<string, string>> = {},
): Promise<void> {
  await saveGrant(change, grant, next);
  await change.trx
    .updateTable('effect')
    .set({ state: 'dropped', settled_at: toDate(change.nowMs) })
    .where('grant_id', '=', grant.id)
    .where('kind', '=', 'add_member')
    .where('state', '=', 'due')
    .execute();
  await change.trx
    .insertInto('effect')
    .values({
      grant_id: grant.id,
      kind: 'remove_member',
      group_id: grant.membership.groupId,
      next_attempt_at: toDate(change.nowMs),
      begun_at: null,
      written_at: null,
      first_absent_at: null,
      created_at: toDate(change.nowMs),
      settled_at: null,
    })
    .execute();
  await endLeases(change, grant);
  await tellOfEnding(change, debt, 'grant.revoking', next, actor, detail);
}
