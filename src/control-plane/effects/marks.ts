import { inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { lockHeldGrants } from '../grants/rows.ts';
import type { DueEffect } from './due.ts';
import { oneOf, updateEffects } from './settle.ts';

/** A membership that a write was made for, or is to be made for. */
export interface MemberWrite {
  readonly effect: DueEffect;
  readonly memberId: string;
}

/**
 * Marks that additions begin. Committed before the call, so that a crash in the middle leaves a trace of it, and under
 * the grants' locks: an end that comes meanwhile either finds the mark and undoes the write, or this finds the end.
 *
 * @returns those that are wanted still; for the others nothing must be written.
 */
export async function beginAdditions(
  { db }: Pick<Core, 'db'>,
  effects: readonly DueEffect[],
): Promise<DueEffect[]> {
  if (effects.length === 0) return [];
  return inChange(db, async (change) => {
    await lockHeldGrants(
      change,
      effects.map(({ grant }) => grant.id),
    );
    const marked = await change.trx
      .updateTable('effect')
      .set({ begun_at: toDate(change.nowMs) })
      .where('id', '=', oneOf(effects))
      .where('state', '=', 'due')
      .returning('id')
      .execute();
    const ids = new Set(marked.map(({ id }) => id));
    return effects.filter(({ row }) => ids.has(row.id));
  });
}

/** Writes that {@link beginAdditions} announced were refused, or not made: Databricks knows no more of them than before. */
export async function wasNotBegun({ db }: Pick<Core, 'db'>, effects: readonly DueEffect[]): Promise<void> {
  const first = effects.filter(({ row }) => row.kind === 'add_member' && row.begun_at === null);
  if (first.length === 0) return;
  await inChange(db, (change) => updateEffects(change, first, { begun_at: null }));
}

/** Databricks took the writes; whether they are true, reads will tell. */
export async function wrote(
  { db, debt }: Pick<Core, 'db' | 'debt'>,
  writes: readonly MemberWrite[],
): Promise<void> {
  if (writes.length === 0) return;
  await inChange(db, async (change) => {
    await updateEffects(
      change,
      writes.map(({ effect }) => effect),
      { written_at: toDate(change.nowMs) },
    );
    await debt.recordAll(
      change,
      writes.map(({ effect: { row, grant }, memberId }) => ({
        event: 'effect.written',
        requestId: grant.requestId,
        grantId: grant.id,
        roleId: grant.roleId,
        detail: { kind: row.kind, group: row.group_id, member: memberId, failedBefore: row.attempts },
      })),
    );
  });
}

/** Settles effects that have nothing to do any more. */
export async function dropEffects({ db }: Pick<Core, 'db'>, effects: readonly DueEffect[]): Promise<void> {
  if (effects.length === 0) return;
  await inChange(db, (change) =>
    updateEffects(change, effects, { state: 'dropped', settled_at: toDate(change.nowMs) }),
  );
}
