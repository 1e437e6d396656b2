import { sql } from 'kysely';

import type { EpochMs } from '../../domain/time.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { closeOverdueOf } from '../grants/overdue.ts';

/** A membership that was taken away without the store, or may have been. */
export interface Handover {
  readonly grantIds: readonly string[];
  readonly groupId: string;
  readonly memberId: string;
  readonly writtenAtMs: EpochMs | undefined;
  /** When a read showed that it is gone. */
  readonly absentAtMs: EpochMs | undefined;
}

const BATCH = 100;

/**
 * Tells the store what was done while it was away. Grants whose time has come begin to end; what was seen counts as the
 * first look at an absence, and the ordinary second one confirms it or not. A membership that the store says is demanded
 * after all, by a grant that was not known when it was taken away, is put back.
 */
export async function handOver(
  core: Pick<Core, 'db' | 'debt' | 'logger'>,
  handovers: readonly Handover[],
  confirmMs: number,
): Promise<void> {
  for (let start = 0; start < handovers.length; start += BATCH) {
    const some = handovers.slice(start, start + BATCH);
    await closeOverdueOf(
      core,
      some.flatMap(({ grantIds }) => grantIds),
    );
    await inChange(core.db, async (change) => {
      await noteAbsences(change, some);
      await noteLosses(core, change, some, confirmMs);
    });
  }
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

/**
 * A grant demands what was taken away: its window was moved, or it was given, when nobody could know. That is a loss like
 * any other, seen once already; the reconciler looks at the group as soon as a second look counts, and mends it.
 */
async function noteLosses(
  core: Pick<Core, 'logger'>,
  change: Change,
  handovers: readonly Handover[],
  confirmMs: number,
): Promise<void> {
  const taken = handovers.flatMap(({ groupId, memberId, writtenAtMs, absentAtMs }) => {
    const at = toDate(absentAtMs ?? writtenAtMs);
    return at === null ? [] : [{ group_id: groupId, member_id: memberId, at }];
  });
  const { rows } = await sql<{ group_id: string; grant_id: string }>`
    update oam.effect set first_lost_at = coalesce(effect.first_lost_at, taken.at)
    from jsonb_to_recordset(${JSON.stringify(taken)}::jsonb)
        as taken(group_id text, member_id text, at timestamptz)
      join oam.access_grant demanding using (group_id, member_id)
    where effect.grant_id = demanding.id and effect.kind = 'add_member' and effect.state = 'done'
      and demanding.state = 'active' and demanding.deadline_at > ${toDate(change.nowMs)}
    returning demanding.group_id, demanding.id as grant_id`.execute(change.trx);
  if (rows.length === 0) return;
  for (const { group_id: group, grant_id: grantId } of rows) {
    core.logger.error('A membership that a grant demands was taken away without the database.', {
      group,
      grantId,
    });
  }
  await change.trx
    .updateTable('jit_group')
    .set({ next_look_at: toDate(change.nowMs + confirmMs) })
    .where(
      'group_id',
      'in',
      rows.map((row) => row.group_id),
    )
    .execute();
}
