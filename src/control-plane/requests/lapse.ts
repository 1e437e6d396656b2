import { lapse } from '../../domain/request.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { fromRow, saveRequest, type StoredRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';

const BATCH = 100;

/** Ends requests that nobody answered in time. Returns how many. */
export async function lapseUnanswered(core: Core): Promise<number> {
  return inChange(core.db, async (change) => {
    const rows = await change.trx
      .selectFrom('access_request')
      .selectAll()
      .where('state', 'in', ['pending', 'awaiting_requester'])
      .where('lapses_at', '<=', toDate(change.nowMs))
      .orderBy('lapses_at')
      .limit(BATCH)
      .forUpdate()
      .skipLocked()
      .execute();
    for (const request of rows.map(fromRow)) await lapseIfDue(change, request);
    return rows.length;
  });
}

/**
 * Ends a request whose time is over.
 *
 * @returns true if it was.
 */
export async function lapseIfDue(change: Change, request: StoredRequest): Promise<boolean> {
  const next = lapse(request, change.nowMs);
  if (next === request) return false;
  await saveRequest(change, request, next);
  await tellOfRequest(change, 'request.lapsed', next, undefined);
  return true;
}
