import { type Kysely, sql } from 'kysely';

import { OamError } from '../../domain/errors.ts';
import type { PrincipalKey } from '../../domain/principal.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';

/** Keeps that a sign-in is over, for all that is asked in its name from then on. */
export async function endSignIn(
  db: Kysely<Database>,
  { iss, sub }: PrincipalKey,
  session: string,
): Promise<void> {
  await inChange(db, async ({ trx, nowMs }) => {
    await trx
      .insertInto('ended_sign_in')
      .values({ iss, sub, session, ended_at: toDate(nowMs) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  });
}

/**
 * Lets nobody get anything in the name of a sign-in that is over. Asked while the grant is locked: whoever gives back what a
 * sign-in was issued locks its person's grants once the end is kept, and so either this finds the end or they find the lease.
 *
 * @throws {OamError} `sign_in_again`.
 */
export async function expectSignInGoesOn(
  { trx }: Change,
  { iss, sub }: PrincipalKey,
  session: string | undefined,
): Promise<void> {
  if (session === undefined) return;
  const ended = await trx
    .selectFrom('ended_sign_in')
    .select('ended_at')
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .where('session', '=', session)
    .executeTakeFirst();
  if (ended === undefined) return;
  throw new OamError('sign_in_again', 'This sign-in is over, and gets nothing more. Sign in again.');
}

/** Longer than an access token can live that was issued before the end. */
const KEPT_DAYS = 2;

/** Forgets sign-ins in whose names nobody can ask any more. */
export async function forgetEndedSignIns(db: Kysely<Database>): Promise<void> {
  await sql`delete from oam.ended_sign_in where ended_at < oam.now() - ${KEPT_DAYS} * interval '1 day'`.execute(
    db,
  );
}
