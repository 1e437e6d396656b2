import { sql } from 'kysely';

import { hasCode } from '../../domain/errors.ts';
import { isOtherEvidence, renewedEvidence } from '../../domain/evidence.ts';
import { hasLapsed, isOpen } from '../../domain/request.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { inChange, storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { abandonGrant } from '../grants/close.ts';
import { lockHeldGrants } from '../grants/rows.ts';
import { judgeAnew } from './new-ground.ts';
import { fromRow, lockRequest, saveRequest, type StoredRequest } from './rows.ts';

const BATCH = 20;

const CHANGED = 'What callbacks say of ticket and purpose is not what it was.';

/**
 * Asks callbacks again about requests that wait, for an approver or for their start, once half of the time is over for
 * which the last words count. What says the same counts for longer; on anything else the request is judged anew.
 *
 * @param signal ends the questions that are under way.
 */
export async function verifyAgain(core: Core, signal: AbortSignal): Promise<void> {
  const roles = core.policy.catalogue.roles.filter((role) => core.callbacks.askedAbout(role).length > 0);
  if (roles.length === 0) return;
  const dueMs = (await storeNowMs(core.db)) + core.callbacks.trustMs / 2;
  const rows = await core.db
    .selectFrom('access_request')
    .selectAll()
    .where(
      'role_id',
      'in',
      roles.map(({ id }) => id),
    )
    .where((eb) =>
      eb.or([
        eb('state', 'in', ['pending', 'awaiting_requester']),
        sql<boolean>`exists (
          select from oam.access_grant ahead
          where ahead.id = access_request.grant_id and ahead.state = 'scheduled')`,
      ]),
    )
    .where(
      sql<boolean>`exists (
        select from jsonb_array_elements(evidence) word where (word ->> 'goodUntilMs')::float8 <= ${dueMs})`,
    )
    // Those about which nobody answers must not stand in the way of the others for ever.
    .orderBy(sql`random()`)
    .limit(BATCH)
    .execute();
  for (const request of rows.map(fromRow)) {
    try {
      await verifyOne(core, request, signal);
    } catch (error) {
      if (hasCode(error, 'cancelled')) return;
      core.logger.error('A request could not be verified again; it is tried again.', {
        requestId: request.id,
        reason: error instanceof Error ? error.message : 'unknown',
      });
    }
  }
  if (rows.length > 0) core.wake();
}

async function verifyOne(core: Core, seen: StoredRequest, signal: AbortSignal): Promise<void> {
  const requester = await findPrincipal(core.db, seen.requester);
  if (requester === undefined) return;
  const inquiry = { requestId: seen.id, requester, role: seen.role, wish: seen };
  const again = await core.callbacks.ask(inquiry, await storeNowMs(core.db), signal);
  await inChange(core.db, async (change) => {
    const request = await lockRequest(change, seen.id);
    if (request?.version !== seen.version || hasLapsed(request, change.nowMs)) return;
    const evidence = renewedEvidence(request.evidence, again);
    if (!isOtherEvidence(request.evidence, evidence)) {
      await saveRequest(change, request, { ...request, evidence });
      return;
    }
    if (!isOpen(request)) {
      const [grant] = request.grantId === undefined ? [] : await lockHeldGrants(change, [request.grantId]);
      // Access that has begun goes on: what was true when it began was true.
      if (grant?.state !== 'scheduled') return;
      await abandonGrant(change, core.debt, grant, `${CHANGED} The request is judged anew.`);
    }
    await judgeAnew(core, change, { ...request, evidence }, CHANGED);
  });
}
