import type { AuditDebt } from '../audit/debt.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, toDate, toMs } from '../changes/change.ts';
import { closeGrant } from '../grants/close.ts';
import { lockGrant } from '../grants/rows.ts';
import { among } from '../store/among.ts';
import type { DemandingGrant } from './expectation.ts';

/** What mending losses depends on. */
export interface LossGround {
  readonly debt: AuditDebt;
  /** False where the store may have forgotten that the membership was taken away. */
  readonly adoptedByThisStore: boolean;
  /** The wait before a loss is believed, in milliseconds: reads lag. */
  readonly confirmMs: number;
}

/**
 * Mends what is missing from a group: a membership that an active grant demands is written again. In a restored store
 * the grant ends instead, because it may have ended before.
 *
 * @returns true where something was missing for the first time, and a second look is to tell.
 */
export async function mendLosses(
  change: Change,
  grants: readonly DemandingGrant[],
  lost: ReadonlySet<string>,
  ground: LossGround,
): Promise<boolean> {
  if (grants.length === 0) return false;
  const effects = await change.trx
    .selectFrom('effect')
    .select(['id', 'grant_id', 'state', 'first_lost_at'])
    .where(
      'grant_id',
      '=',
      among(
        'uuid',
        grants.map(({ grantId }) => grantId),
      ),
    )
    .where('kind', '=', 'add_member')
    .execute();
  const byGrant = new Map(effects.map((effect) => [effect.grant_id, effect]));
  let isFirst = false;
  for (const { grantId, memberId } of grants) {
    const effect = byGrant.get(grantId);
    // One that is being written is not lost.
    if (effect?.state !== 'done') continue;
    if (!lost.has(memberId)) {
      if (effect.first_lost_at !== null) await mark(change, effect.id, null);
      continue;
    }
    const firstLostAtMs = toMs(effect.first_lost_at);
    if (firstLostAtMs === undefined) {
      await mark(change, effect.id, toDate(change.nowMs));
      isFirst = true;
    } else if (change.nowMs - firstLostAtMs >= ground.confirmMs) {
      await mend(change, effect.id, grantId, memberId, ground);
    }
  }
  return isFirst;
}

async function mark(change: Change, effectId: number, at: Date | null): Promise<void> {
  await change.trx.updateTable('effect').set({ first_lost_at: at }).where('id', '=', effectId).execute();
}

async function mend(
  change: Change,
  effectId: number,
  grantId: string,
  memberId: string,
  ground: LossGround,
): Promise<void> {
  const grant = await lockGrant(change, grantId);
  if (grant?.state !== 'active') return;
  if (!ground.adoptedByThisStore) {
    await closeGrant(change, ground.debt, grant, {
      reason: 'revoked',
      comment: 'The database was restored from a backup, and the membership was not there any more.',
    });
    return;
  }
  await change.trx
    .updateTable('effect')
    .set({
      state: 'due',
      attempts: 0,
      next_attempt_at: toDate(change.nowMs),
      written_at: null,
      first_lost_at: toDate(change.nowMs),
      settled_at: null,
    })
    .where('id', '=', effectId)
    .execute();
  await recordAudit(change, {
    event: 'membership.lost',
    requestId: grant.requestId,
    grantId,
    roleId: grant.roleId,
    detail: { group: grant.membership.groupId, member: memberId },
  });
}
