import { type Kysely, sql } from 'kysely';

import { atDeadline } from '../../domain/grant.ts';
import { together } from '../changes/together.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { among } from '../store/among.ts';
import type { Database } from '../store/tables.ts';
import { lastTokenExpiries } from './chain-leases.ts';
import { beginRemovals } from './close.ts';
import { HELD_COLUMNS, type HeldGrant, heldFromRow, LIVE_STATES } from './rows.ts';

/** How many grants end in one change at most. */
const BATCH = 100;

/** Changes at the same time: while the store is busy with one, the next is prepared. */
const CHANGES_AT_ONCE = 3;

/** How many are looked for at a time. */
const LOOK_AHEAD = 2_000;

/**
 * Begins the end of every grant whose deadline has come, up to a hundred in one change. A grant that the store refuses to
 * end is left out with an alarm, and the others end.
 *
 * @param onClosed called after each change that ended some.
 * @returns how many began to end.
 */
export async function closeOverdue(
  core: Pick<Core, 'db' | 'debt' | 'logger'>,
  onClosed: () => void,
): Promise<number> {
  const overdue = await overdueGrantIds(core.db, LOOK_AHEAD);
  const batches = Array.from({ length: Math.ceil(overdue.length / BATCH) }, (_, index) =>
    overdue.slice(index * BATCH, (index + 1) * BATCH),
  );
  let closed = 0;
  const work = async (): Promise<void> => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      const ended = await closeOverdueOf(core, batch);
      closed += ended;
      onClosed();
    }
  };
  await Promise.all(Array.from({ length: CHANGES_AT_ONCE }, work));
  return closed;
}

/** How long it is to the next deadline, in milliseconds, where that comes within a time. */
export async function nextDeadlineInMs(db: Kysely<Database>, withinMs: number): Promise<number | undefined> {
  const next = await db
    .selectFrom('access_grant')
    .select(sql<number>`(extract(epoch from deadline_at - oam.now()) * 1000)::float8`.as('ms'))
    .where('state', 'in', LIVE_STATES)
    // What is overdue and cannot be ended is for the beat: it must not be tried without a pause.
    .where('deadline_at', '>', sql<Date>`(select oam.now())`)
    .where('deadline_at', '<=', sql<Date>`(select oam.now()) + ${withinMs} * interval '1 millisecond'`)
    .orderBy('deadline_at')
    .limit(1)
    .executeTakeFirst();
  return next && Math.max(1, Math.ceil(next.ms));
}

/** Begins the end of those of the grants whose deadline has come. Returns how many. */
export async function closeOverdueOf(
  core: Pick<Core, 'db' | 'debt' | 'logger'>,
  grantIds: readonly string[],
): Promise<number> {
  let closed = 0;
  await together(
    grantIds,
    async (ids) => {
      closed += await close(core, ids);
    },
    (grantId, error) => {
      core.logger.error('A grant whose time has come cannot be ended. It is tried again.', {
        grantId,
        reason: error.message,
      });
    },
  );
  return closed;
}

function close(core: Pick<Core, 'db' | 'debt'>, ids: readonly string[]): Promise<number> {
  return inChange(core.db, async (change) => {
    const grants = await lockOverdueGrants(change, ids);
    const expiries = await lastTokenExpiries(change, grants);
    const endings = grants.map((grant) => ({
      previous: grant,
      next: atDeadline(grant, change.nowMs, expiries.get(grant.chainId)),
    }));
    await beginRemovals(change, core.debt, endings);
    return endings.length;
  });
}

/**
 * The live grants whose deadline has come, the most urgent first, then the longest overdue; those of one second group by
 * group, so that one write to Databricks can end many.
 */
async function overdueGrantIds(db: Kysely<Database>, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('access_grant')
    .select('id')
    .where('state', 'in', LIVE_STATES)
    .where('deadline_at', '<=', sql<Date>`(select oam.now())`)
    .orderBy('urgency')
    .orderBy(sql`date_trunc('second', deadline_at)`)
    .orderBy('group_id')
    .orderBy('deadline_at')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** Locks those of the grants that are live and overdue still; those that another replica holds are left to it. */
async function lockOverdueGrants(change: Change, ids: readonly string[]): Promise<HeldGrant[]> {
  const rows = await change.trx
    .selectFrom('access_grant')
    .select(HELD_COLUMNS)
    .where('id', '=', among('uuid', ids))
    .where('state', 'in', LIVE_STATES)
    .where('deadline_at', '<=', toDate(change.nowMs))
    .orderBy('id')
    .forUpdate()
    .skipLocked()
    .execute();
  const held = new Map(rows.map((row) => [row.id, heldFromRow(row)]));
  return ids.flatMap((id) => held.get(id) ?? []);
}
