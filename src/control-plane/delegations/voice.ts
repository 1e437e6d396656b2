import { goesByToken, isNamedBy } from '../../domain/approvers.ts';
import { OamError } from '../../domain/errors.ts';
import { areFactsFresh } from '../../domain/freshness.ts';
import { DIRECTORY_FACTS_FRESH_MINUTES, type Principal, samePrincipal } from '../../domain/principal.ts';
import { speaksFor } from '../../domain/request.ts';
import type { ApprovalStage } from '../../domain/role.ts';
import type { Change } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { findLinked, groupsIn } from '../directory/link.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import { mayApprove } from '../requests/judgement.ts';
import type { StoredRequest } from '../requests/rows.ts';
import { teamsOf } from '../roles/teams.ts';
import { type Acting, lockActingOf } from './rows.ts';

/**
 * Whose word it is that somebody gives in one of the stages of a request: their own where a stage is for them, or that
 * of the first for whom they may speak. Undefined stands for their own. A delegation that is found is not revoked until
 * the transaction ends; policy has been asked, on what is known about both now.
 *
 * @throws {OamError} `delegator_unconfirmed`, `not_allowed` where nobody's word can be given. Nothing has been written.
 */
export async function voiceOf(
  core: Core,
  change: Change,
  caller: Principal,
  request: StoredRequest,
  stages: readonly number[],
): Promise<Acting | undefined> {
  const stageFor = (person: Principal): number | undefined =>
    stages.find((index) => {
      const stage = request.stages[index];
      return stage !== undefined && person.groups.kind === 'listed' && isNamedBy(stage, person);
    });
  if (caller.groups.kind === 'overflowed' || stageFor(caller) !== undefined) return undefined;
  const candidates = (await lockActingOf(change, caller)).filter(
    ({ delegator }) => !samePrincipal(delegator, request.requester) && stageFor(delegator) !== undefined,
  );
  const unspoken = candidates.filter(
    ({ delegator }) => !request.approvals.some((word) => speaksFor(word, delegator)),
  );
  let refusal: OamError | undefined;
  for (const acting of unspoken) {
    try {
      return await confirmed(core, change, caller, request, acting, stageFor(acting.delegator) ?? 0);
    } catch (error) {
      if (!(error instanceof OamError)) throw error;
      refusal ??= error;
    }
  }
  if (refusal !== undefined) throw refusal;
  // That it was given already is for the rules of requests to say.
  return candidates[0];
}

async function confirmed(
  core: Core,
  change: Change,
  caller: Principal,
  request: StoredRequest,
  { id, delegator }: Acting,
  index: number,
): Promise<Acting> {
  const stage = request.stages[index];
  if (stage === undefined) throw new TypeError(`The request has no such stage: ${index}`);
  const known = await presentFacts(core, change, delegator, stage);
  for (const person of known) {
    const verdicts = [
      mayApprove(core, person, request, index),
      mayActFor(core, caller, person, request.team),
    ];
    for (const verdict of verdicts) {
      if (verdict.allowed) continue;
      throw new ExplainedRefusal(
        'not_allowed',
        'The access policy does not let you decide on this request for the one who named you. Ask another approver.',
        verdict.because,
      );
    }
  }
  return { id, delegator: known[0] ?? delegator };
}

/** What policy says to somebody's speaking for somebody else about a team's role. */
export function mayActFor(
  { policy }: Pick<Core, 'policy'>,
  delegate: Principal,
  delegator: Principal,
  team: string,
) {
  const { catalogue } = policy;
  const [delegatorTeams, delegateTeams] = [teamsOf(delegator, catalogue), teamsOf(delegate, catalogue)];
  return policy.decideDelegation({ delegator, delegatorTeams, delegate, delegateTeams, team });
}

/**
 * What is known now about somebody who need not be here. Where only the directory spoke lately, it vouches for their
 * groups alone: policy has to allow it with what their last token said besides, and without.
 *
 * @throws {OamError} `delegator_unconfirmed` where what is known is too old for the stage, `not_allowed` where they left.
 */
async function presentFacts(
  core: Core,
  change: Change,
  person: Principal,
  stage: ApprovalStage,
): Promise<readonly Principal[]> {
  const link = core.directory && {
    ...core.directory,
    trustMinutes: Math.min(core.directory.trustMinutes, DIRECTORY_FACTS_FRESH_MINUTES),
  };
  const linked = link?.issuer === person.iss ? await findLinked(change.trx, link, person.sub) : undefined;
  if (linked?.active === false) {
    throw new OamError(
      'not_allowed',
      'Whoever named you as their delegate is not active any more. Ask another approver.',
    );
  }
  if (areFactsFresh(person, change.nowMs)) return [person];
  if (link === undefined || linked === undefined || goesByToken(stage)) throw unconfirmed(person);
  const names = linked.fresh ? await groupsIn(change.trx, link, linked.id) : [];
  // A directory that pushes people but no groups knows nothing, which is not the same as none.
  if (names.length === 0) throw unconfirmed(person);
  const vouched: Principal = { ...person, groups: { kind: 'listed', names } };
  return [vouched, { ...vouched, duty: undefined, attributes: {} }];
}

function unconfirmed({ displayName }: Principal): OamError {
  return new OamError(
    'delegator_unconfirmed',
    'What is known about whoever named you as their delegate is too old to decide on. Nothing was changed; repeat this once they have signed in, or ask another approver.',
    { detail: displayName },
  );
}
