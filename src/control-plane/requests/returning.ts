import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import { areFactsFresh } from '../../domain/freshness.ts';
import { type PrincipalKey, TOKEN_FACTS_FRESH_MINUTES } from '../../domain/principal.ts';
import { refuse, settle } from '../../domain/request.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { inChange } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { commitGrant } from '../grants/commit.ts';
import { FALLEN, withoutFallenWords } from './fallen-words.ts';
import { judge } from './judgement.ts';
import { lapseIfDue } from './lapse.ts';
import { putOnNewGround } from './new-ground.ts';
import { lockRequest, saveRequest } from './rows.ts';
import { tellOfRequest } from './tell.ts';

const BATCH = 100;

/** Somebody came back with fresh facts: their requests that waited for nothing else are decided on them at once. */
export async function resumeRequestsOf(core: Core, requester: PrincipalKey): Promise<void> {
  const waiting = await core.db
    .selectFrom('access_request')
    .select('id')
    .where('iss', '=', requester.iss)
    .where('sub', '=', requester.sub)
    .where('state', '=', 'awaiting_requester')
    .execute();
  await resumeAll(core, waiting);
}

/**
 * Decides the requests that wait for somebody who is back. A return can be missed when it happens: the facts may
 * arrive while the decision to wait for them is being committed, or the process may die between the two.
 */
export async function resumeReturned(core: Core): Promise<void> {
  const waiting = await core.db
    .selectFrom('access_request')
    .innerJoin('principal', (join) =>
      join
        .onRef('principal.iss', '=', 'access_request.iss')
        .onRef('principal.sub', '=', 'access_request.sub'),
    )
    .select('access_request.id')
    .where('access_request.state', '=', 'awaiting_requester')
    .where('principal.groups', 'is not', null)
    .where(
      sql<boolean>`least(principal.seen_at, principal.token_seen_at) >= oam.now() - ${TOKEN_FACTS_FRESH_MINUTES} * interval '1 minute'`,
    )
    .limit(BATCH)
    .execute();
  await resumeAll(core, waiting);
}

/** One that cannot be decided stands in nobody else's way. */
async function resumeAll(core: Core, waiting: readonly { readonly id: string }[]): Promise<void> {
  for (const { id } of waiting) {
    try {
      await resume(core, id);
    } catch (error) {
      core.logger.error('A request whose requester is back could not be decided; it is tried again.', {
        requestId: id,
        reason: error instanceof Error ? error.message : 'unknown',
      });
    }
  }
  if (waiting.length > 0) core.wake();
}

async function resume(core: Core, id: string): Promise<void> {
  await inChange(core.db, async (change) => {
    const request = await lockRequest(change, id);
    if (request?.state !== 'awaiting_requester' || (await lapseIfDue(change, request))) return;
    const requester = await findPrincipal(change.trx, request.requester);
    if (requester?.groups.kind !== 'listed' || !areFactsFresh(requester, change.nowMs)) return;
    if (await putOnNewGround(core, change, request)) return;
    const decision = judge(core.policy, requester, request.role, request, change.nowMs);
    if (decision.kind === 'refused') {
      const refused = { ...refuse(request), because: decision.because };
      await saveRequest(change, request, refused);
      await tellOfRequest(change, 'request.denied', refused, undefined, {
        by: 'policy',
        because: [...decision.because],
      });
      return;
    }
    const next = settle(await withoutFallenWords(core, change, request), {
      requesterFresh: true,
      grantId: randomUUID(),
      atMs: change.nowMs,
    });
    await saveRequest(change, request, next);
    if (next.state !== 'approved') {
      await tellOfRequest(change, 'request.reopened', next, undefined, { because: [FALLEN] });
      return;
    }
    await commitGrant(change, core.policy.catalogue, next, undefined);
    await tellOfRequest(change, 'request.approved', next, undefined, { by: 'approvers, requester returned' });
  });
}
