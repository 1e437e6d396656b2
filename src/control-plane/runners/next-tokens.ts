import type { Kysely } from 'kysely';

import { type EpochMs, minutesToMs } from '../../domain/time.ts';
import { type Change, inChange, toDate, toMs } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';
import { findByToken, lockRunner, type PresentedRow, type RunnerRow } from './rows.ts';

/**
 * How long the former token is good after the next one has been used first, in minutes: for what was on its way by then.
 * Later it comes from somebody else.
 */
const FORMER_MINUTES = 1;

/** How many tokens may wait for their first use: each is one that was asked for, and perhaps never arrived. */
const MAX_NEXT_TOKENS = 10;

/** A token that is given out in place of the runner's present one, which stays what it is until this one is used. */
export async function addNextToken(
  change: Change,
  runner: RunnerRow,
  token: { readonly sha256: string; readonly expiresAtMs: EpochMs },
): Promise<void> {
  const { trx } = change;
  await trx
    .insertInto('runner_next_token')
    .values({ sha256: token.sha256, runner_id: runner.id, expires_at: toDate(token.expiresAtMs) })
    .execute();
  await trx
    .deleteFrom('runner_next_token')
    .where('runner_id', '=', runner.id)
    .where('sha256', 'not in', (waiting) =>
      waiting
        .selectFrom('runner_next_token')
        .select('sha256')
        .where('runner_id', '=', runner.id)
        .orderBy('expires_at', 'desc')
        .limit(MAX_NEXT_TOKENS),
    )
    .execute();
  await trx
    .updateTable('runner')
    .set({ renewed_at: toDate(change.nowMs) })
    .where('id', '=', runner.id)
    .execute();
}

/**
 * A next token is used for the first time: its program has it, and the ones before and beside it are done with.
 *
 * @returns undefined where nobody was given such a token. One that has come into use meanwhile is found too.
 */
export async function takeUpNextToken(
  db: Kysely<Database>,
  sha256: string,
): Promise<PresentedRow | undefined> {
  const given = await db
    .selectFrom('runner_next_token')
    .select('runner_id')
    .where('sha256', '=', sha256)
    .executeTakeFirst();
  // It may have come into use since its caller looked for it among those that are.
  if (given === undefined) return findByToken(db, sha256);
  return inChange(db, async (change) => {
    const runner = await lockRunner(change, given.runner_id);
    if (runner === undefined) return undefined;
    const waiting = await change.trx
      .selectFrom('runner_next_token')
      .selectAll()
      .where('runner_id', '=', runner.id)
      .execute();
    const taken = waiting.find((next) => next.sha256 === sha256);
    // The lock was waited for, and it has come into use meanwhile.
    if (taken === undefined) return findByToken(change.trx, sha256);
    await change.trx.deleteFrom('runner_next_token').where('runner_id', '=', runner.id).execute();
    if (runner.ended_at === null)
      await spend(
        change,
        runner,
        waiting.filter((next) => next !== taken),
      );
    const present = {
      token_sha256: sha256,
      token_expires_at: taken.expires_at,
      former_sha256: runner.token_sha256,
      former_expires_at: toDate(
        Math.min(toMs(runner.token_expires_at) ?? 0, change.nowMs + minutesToMs(FORMER_MINUTES)),
      ),
    };
    await change.trx.updateTable('runner').set(present).where('id', '=', runner.id).execute();
    return { ...runner, ...present, expires_at: taken.expires_at };
  });
}

/** Nobody works with the present token any more, nor with those that were given out beside the one that is used. */
async function spend(
  { trx }: Change,
  runner: RunnerRow,
  beside: readonly { readonly sha256: string }[],
): Promise<void> {
  const spent = [runner.token_sha256, ...beside.map((token) => token.sha256)].filter((each) => each !== null);
  await trx
    .insertInto('runner_spent_token')
    .values(spent.map((each) => ({ sha256: each, runner_id: runner.id })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
