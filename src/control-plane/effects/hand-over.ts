import { sql } from 'kysely';

import { isLive } from '../../domain/grant.ts';
import type { EpochMs } from '../../domain/time.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { closeOverdueOf } from '../grants/overdue.ts';
import { type HeldGrant, LIVE_STATES, lockHeldGrants } from '../grants/rows.ts';

/** A membership that was taken away without the store, or may have been. */
export interface Handover {
  readonly grantIds: readonly string[];
  readonly groupId: string;
  readonly memberId: string;
  readonly writtenAtMs: EpochMs | undefined;
  /** When a read showed that it is gone. */
  readonly absentAtMs: EpochMs | undefined;
  /** A write was begun whose answer never came: it may come about yet. */
  readonly isInDoubt: boolean;
}

/**
 * Tells the store what was done while it was away. Grants whose time has come begin to end; what was seen counts as the
 * first look at an absence, and the ordinary second one confirms it or not. A membership that the store says is demanded
 * after all, by a grant that was not known when it was taken away, is written again.
 *
 * Nothing of them may be under way any more: what is written again is to come after what was taken away.
 */
export async function handOver(
  core: Pick<Core, 'db' | 'debt' | 'logger'>,
  handovers: readonly Handover[],
  confirmMs: number,
): Promise<void> {
  await closeOverdueOf(
    core,
    handovers.flatMap(({ grantIds }) => grantIds),
  );
  await inChange(core.db, async (change) => {
    const demanding = await demandingGrants(change, handovers);
    // The grants first, as everywhere: two changes that take the same rows take them in the same order.
    const grants = await lockHeldGrants(change, [
      ...demanding,
      ...handovers.flatMap(({ grantIds }) => grantIds),
    ]);
    await noteAbsences(change, handovers);
    await giveAgain(
      core,
      change,
      grants.filter((grant) => demanding.has(grant.id) && isLive(grant)),
    );
    await lookAgain(change, handovers, confirmMs);
  });
}

async function noteAbsences(change: Change, handovers: readonly Handover[]): Promise<void> {
  const seen = handovers
    .filter(({ absentAtMs }) => absentAtMs !== undefined)
    .flatMap(({ grantIds, writtenAtMs, absentAtMs }) =>
      grantIds.map((grantId) => ({
        grant_id: grantId,
        written_at: toDate(writtenAtMs ?? absentAtMs),
        absent_at: toDate(absentAtMs),
      })),
    );
  await sql`
    update oam.effect set
      written_at = coalesce(effect.written_at, seen.written_at),
      first_absent_at = least(effect.first_absent_at, seen.absent_at)
    from jsonb_to_recordset(${JSON.stringify(seen)}::jsonb)
      as seen(grant_id uuid, written_at timestamptz, absent_at timestamptz)
    where effect.grant_id = seen.grant_id and effect.kind = 'remove_member' and effect.state = 'due'`.execute(
    change.trx,
  );
}

/** The live grants that demand what was taken away, or may have been: they were not known to, or not for so long. */
async function demandingGrants(change: Change, handovers: readonly Handover[]): Promise<ReadonlySet<string>> {
  const taken = handovers
    .filter(
      ({ writtenAtMs, absentAtMs, isInDoubt }) =>
        isInDoubt || writtenAtMs !== undefined || absentAtMs !== undefined,
    )
    .flatMap(({ grantIds }) => grantIds);
  const { rows } = await sql<{ id: string }>`
    select distinct demanding.id
    from unnest(${taken}::uuid[]) as taken (id)
      join oam.access_grant mine on mine.id = taken.id
      -- Has each looked up by itself, whatever the planner knows.
      cross join lateral (
        select other.id from oam.access_grant other
        where other.group_id = mine.group_id and other.member_key = mine.member_key
          and other.state in (${sql.join(LIVE_STATES.map((state) => sql.lit(state)))})
          and other.deadline_at > ${toDate(change.nowMs)}
        offset 0
      ) demanding`.execute(change.trx);
  return new Set(rows.map(({ id }) => id));
}

/**
 * The additions of these grants are due once more. Whoever is in the middle of one read the group before: the mark tells
 * them that what they saw counts no more.
 */
async function giveAgain(
  core: Pick<Core, 'debt' | 'logger'>,
  change: Change,
  live: readonly HeldGrant[],
): Promise<void> {
  if (live.length === 0) return;
  const again = await change.trx
    .updateTable('effect')
    .set({
      ...{ state: 'due', attempts: 0, written_at: null, settled_at: null },
      ...{ next_attempt_at: toDate(change.nowMs), first_lost_at: toDate(change.nowMs) },
    })
    .where(
      'grant_id',
      'in',
      live.map(({ id }) => id),
    )
    .where('kind', '=', 'add_member')
    .where('state', 'in', ['due', 'done'])
    .where('begun_at', 'is not', null)
    .returning('grant_id')
    .execute();
  for (const grant of live.filter(({ id }) => again.some(({ grant_id: grantId }) => grantId === id))) {
    const { groupId } = grant.membership;
    core.logger.error('A membership that a grant demands was taken away without the database.', {
      group: groupId,
      grantId: grant.id,
    });
    await core.debt.record(change, {
      event: 'membership.lost',
      requestId: grant.requestId,
      grantId: grant.id,
      roleId: grant.roleId,
      detail: { group: groupId, member: grant.memberId, because: 'removed_without_store' },
    });
  }
}

/** What is in doubt may come about after all that: the reconciler looks whether it did. */
async function lookAgain(change: Change, handovers: readonly Handover[], confirmMs: number): Promise<void> {
  const groups = [...new Set(handovers.filter(({ isInDoubt }) => isInDoubt).map(({ groupId }) => groupId))];
  if (groups.length === 0) return;
  await change.trx
    .updateTable('jit_group')
    .set({ next_look_at: toDate(change.nowMs + confirmMs) })
    .where('group_id', 'in', groups)
    .execute();
}
