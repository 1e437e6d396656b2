import type { UpdateObject } from 'kysely';

import { backoffMs } from '../../domain/backoff.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { type Change, inChange, toDate, toMs } from '../changes/change.ts';
import { together } from '../changes/together.ts';
import type { Core } from '../core.ts';
import { type HeldGrant, lockHeldGrants } from '../grants/rows.ts';
import { among } from '../store/among.ts';
import type { Database } from '../store/tables.ts';
import type { DueEffect } from './due.ts';

/** What turns what was seen into what is so. */
export interface OutcomeParts extends Pick<Core, 'db' | 'debt' | 'logger'> {
  readonly redactor: Redactor;
  /** The wait before absence is read a second time, in milliseconds. */
  readonly absenceConfirmMs: number;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** An effect that is due still, and its grant as it is now. */
export interface Settling {
  readonly effect: DueEffect;
  readonly grant: HeldGrant;
}

/** Reads lag behind writes by about a second. */
const READ_AGAIN_MS = SECOND_MS;

/** An effect whose change the store refused, alone too, and why. */
export interface Unsettled {
  readonly effect: DueEffect;
  readonly error: Error;
}

/**
 * A change of effects that are still due, and of their grants. The grants are locked first, as everywhere, so that two
 * changes which take both rows take them in the same order.
 *
 * @returns those that were refused; they are as they were.
 */
export async function settling(
  parts: Pick<OutcomeParts, 'db'>,
  effects: readonly DueEffect[],
  work: (change: Change, settlings: readonly Settling[]) => Promise<void>,
): Promise<Unsettled[]> {
  const unsettled: Unsettled[] = [];
  if (effects.length === 0) return unsettled;
  await together(
    effects,
    (some) =>
      inChange(parts.db, async (change) => {
        const settlings = await stillDue(change, some);
        if (settlings.length > 0) await work(change, settlings);
      }),
    (effect, error) => unsettled.push({ effect, error }),
  );
  return unsettled;
}

async function stillDue(change: Change, effects: readonly DueEffect[]): Promise<Settling[]> {
  const grants = await lockHeldGrants(change, [...new Set(effects.map(({ grant }) => grant.id))]);
  const byId = new Map(grants.map((grant) => [grant.id, grant]));
  const rows = await change.trx
    .selectFrom('effect')
    .select(['id', 'first_lost_at'])
    .where('id', '=', oneOf(effects))
    .where('state', '=', 'due')
    .execute();
  const due = new Map(rows.map((row) => [row.id, row]));
  return effects.flatMap((effect) => {
    const grant = byId.get(effect.grant.id);
    const row = due.get(effect.row.id);
    return grant !== undefined && row !== undefined && isSameTurn(effect, row) ? [{ effect, grant }] : [];
  });
}

/** False where the membership was lost since the effect was taken up: what was written and seen for it counts no more. */
function isSameTurn({ row }: DueEffect, now: Pick<DueEffect['row'], 'first_lost_at'>): boolean {
  return toMs(row.first_lost_at) === toMs(now.first_lost_at);
}

/** The id of one of these effects, in a query. */
export function oneOf(effects: readonly DueEffect[]) {
  return among(
    'bigint',
    effects.map(({ row }) => row.id),
  );
}

/** Gives effects that are due still, for the same turn, the same new values. @returns how many there were. */
export async function updateEffects(
  change: Change,
  effects: readonly DueEffect[],
  values: UpdateObject<Database, 'effect'>,
): Promise<number> {
  let updated = 0;
  for (const [lostAtMs, some] of Map.groupBy(effects, ({ row }) => toMs(row.first_lost_at))) {
    const result = await change.trx
      .updateTable('effect')
      .set(values)
      .where('id', '=', oneOf(some))
      .where('state', '=', 'due')
      .where('first_lost_at', 'is not distinct from', toDate(lostAtMs))
      .executeTakeFirst();
    updated += Number(result.numUpdatedRows);
  }
  return updated;
}

/** Puts the next try off, longer with every one that came to nothing. Effects that are equally far stay together. */
export async function putOff(
  change: Change,
  effects: readonly DueEffect[],
  delayMsOf: (attempts: number) => number,
): Promise<void> {
  const byAttempts = Map.groupBy(effects, ({ row }) => row.attempts + 1);
  for (const [attempts, some] of byAttempts) {
    await updateEffects(change, some, {
      attempts,
      next_attempt_at: toDate(change.nowMs + delayMsOf(attempts)),
    });
  }
}

/** Looks again when reads have had time to show what was written. */
export async function readAgain(
  change: Change,
  effects: readonly DueEffect[],
  random: number,
): Promise<void> {
  await putOff(change, effects, (attempts) =>
    Math.max(READ_AGAIN_MS * (0.75 + random / 2), backoffMs(attempts, random) / 2),
  );
}
