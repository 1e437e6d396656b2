import { randomUUID } from 'node:crypto';

import { areFactsFresh } from '../../domain/freshness.ts';
import type { Principal } from '../../domain/principal.ts';
import { refuse, settle } from '../../domain/request.ts';
import { inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { openGrant } from '../grants/open.ts';
import { judge } from './judgement.ts';
import { putOnNewGround } from './new-ground.ts';
import { lockRequest, saveRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';

/**
 * Somebody came back with fresh facts: their requests that waited for nothing else are decided on them.
 */
export async function resumeRequestsOf(core: Core, principal: Principal): Promise<void> {
  const waiting = await core.db
    .selectFrom('access_request')
    .select('id')
    .where('iss', '=', principal.iss)
    .where('sub', '=', principal.sub)
    .where('state', '=', 'awaiting_requester')
    .execute();
  for (const { id } of waiting) await resume(core, principal, id);
  if (waiting.length > 0) core.wake();
}

async function resume(core: Core, principal: Principal, id: string): Promise<void> {
  await inChange(core.db, async (change) => {
    const request = await lockRequest(change, id);
    if (request?.state !== 'awaiting_requester') return;
    if (!areFactsFresh(principal, change.nowMs) || principal.groups.kind === 'overflowed') return;
    if (await putOnNewGround(core, change, request)) return;
    const decision = judge(core.policy, principal, request.role, request, change.nowMs);
    if (decision.kind === 'refused') {
      const refused = { ...refuse(request), because: decision.because };
      await saveRequest(change, request, refused);
      await tellOfRequest(change, 'request.denied', refused, undefined, {
        by: 'policy',
        because: [...decision.because],
      });
      return;
    }
    const next = settle(request, { requesterFresh: true, grantId: randomUUID() });
    await saveRequest(change, request, next);
    if (next.state !== 'approved') return;
    await openGrant(change, core.policy.catalogue, next, undefined);
    await tellOfRequest(change, 'request.approved', next, undefined, { by: 'approvers, requester returned' });
  });
}
