import { sql } from 'kysely';

import { isExtendable } from '../../domain/extension.ts';
import { isOpen, lapse, lapseBaseless } from '../../domain/request.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { lockGrant } from '../grants/rows.ts';
import { fromRow, saveRequest, type StoredRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';

const BATCH = 100;

/** Ends requests that nobody answered in time, and those for more of what has ended. Returns how many. */
export async function lapseUnanswered(core: Core): Promise<number> {
  return inChange(core.db, async (change) => {
    const rows = await change.trx
      .selectFrom('access_request')
      .selectAll()
      .where('state', 'in', ['pending', 'awaiting_requester'])
      .where((eb) =>
        eb.or([
          eb('lapses_at', '<=', toDate(change.nowMs)),
          // As a value, which is looked up for each: what exists is looked up for all at once, by reading all there are.
          sql<boolean>`(
            select base.state from oam.access_grant base where base.id = access_request.extends_grant_id) <> 'active'`,
        ]),
      )
      .orderBy('lapses_at')
      .limit(BATCH)
      .forUpdate()
      .skipLocked()
      .execute();
    for (const request of rows.map(fromRow)) await lapseIfDue(change, request);
    return rows.length;
  });
}

const BASELESS =
  'The access that this would have extended has ended. Ask for the role if it is still needed.';

/**
 * Ends a request whose time is over, or that would extend what has ended.
 *
 * @returns true if it did.
 */
export async function lapseIfDue(change: Change, request: StoredRequest): Promise<boolean> {
  const next = (await isBaseless(change, request))
    ? { ...lapseBaseless(request), because: [BASELESS] }
    : lapse(request, change.nowMs);
  if (next === request) return false;
  await saveRequest(change, request, next);
  await tellOfRequest(change, 'request.lapsed', next, undefined, { because: [...next.because] });
  return true;
}

/** Where it is not, the grant stays as it is until the transaction ends. */
async function isBaseless(change: Change, request: StoredRequest): Promise<boolean> {
  if (request.extension === undefined || !isOpen(request)) return false;
  const grant = await lockGrant(change, request.extension.grantId);
  return grant === undefined || !isExtendable(grant, change.nowMs);
}
