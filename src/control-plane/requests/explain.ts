import { hasCode } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import type { EpochMs } from '../../domain/time.ts';
import type { ExplanationView } from '../../protocol/explanation.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { noSuchRequest, seesRequest } from './decide.ts';
import { judge } from './judgement.ts';
import { findRequest, type StoredRequest } from './rows.ts';
import { timestamp } from './view.ts';

/**
 * Why a request was decided as it was, as that was stored with it, and what policy says to the same wish now; for those
 * who see the request.
 *
 * @throws {OamError} `not_found`.
 */
export async function explainRequest(core: Core, caller: Principal, id: string): Promise<ExplanationView> {
  const request = await findRequest(core.db, id);
  if (request === undefined || !(await seesRequest(core, core.db, caller, request))) throw noSuchRequest(id);
  const requester = await findPrincipal(core.db, request.requester);
  return {
    requestId: request.id,
    ...{ state: request.state, roleId: request.roleId, minutes: request.minutes },
    then: {
      decision: request.stages.length === 0 ? 'granted_at_once' : 'needs_approval',
      because: [...request.because],
      policyVersion: request.policyVersion,
      askedAt: timestamp(request.createdAtMs),
    },
    now: {
      ...presentWord(core, requester, request, await storeNowMs(core.db)),
      policyVersion: core.policy.hash,
      seenAt: timestamp(requester?.seenAtMs),
    },
  };
}

type PresentWord = Pick<ExplanationView['now'], 'decision' | 'because' | 'rules' | 'nearest'>;

function presentWord(
  core: Pick<Core, 'policy'>,
  requester: Principal | undefined,
  request: StoredRequest,
  nowMs: EpochMs,
): PresentWord {
  const role = core.policy.catalogue.roles.find(({ id }) => id === request.roleId);
  if (role === undefined) return unknown('The catalogue has this role no more.');
  if (requester === undefined) return unknown('Nobody vouches for the requester any more.');
  try {
    const { kind, because, by = [], nearest } = judge(core.policy, requester, role, request, nowMs);
    return {
      ...{ decision: kind, because: [...because], rules: [...by] },
      nearest: nearest === undefined ? null : { rule: nearest.id, unmet: [...nearest.unmet] },
    };
  } catch (error) {
    if (!hasCode(error, 'groups_overflowed')) throw error;
    return unknown(error.message);
  }
}

function unknown(because: string): PresentWord {
  return { decision: 'unknown', because: [because], rules: [], nearest: null };
}
