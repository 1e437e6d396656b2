import { type PrincipalKey, samePrincipal } from '../../domain/principal.ts';
import { speakersOf, speaksFor } from '../../domain/request.ts';
import { recordAudit } from '../audit/record.ts';
import { findPrincipals } from '../authentication/principals.ts';
import type { Change } from '../changes/change.ts';
import { mayActFor } from '../delegations/voice.ts';
import type { Core } from '../core.ts';
import { hasLeft } from '../directory/link.ts';
import { mayApprove } from './judgement.ts';
import type { StoredRequest } from './rows.ts';

/** What is said of a request that waits again because of that. */
export const FALLEN = 'Somebody who had approved may not approve any more.';

/**
 * A request without the approvals of people who, by what is known about them now, may not give them any more, or who by
 * the directory's word have left. Somebody whose list of groups overflowed keeps their word: that says nothing about them.
 */
export async function withoutFallenWords(
  core: Core,
  change: Change,
  request: StoredRequest,
): Promise<StoredRequest> {
  const speakers = request.approvals.flatMap(speakersOf);
  const approvers = await findPrincipals(change.trx, speakers);
  const leavers: PrincipalKey[] = [];
  for (const key of speakers) if (await hasLeft(change.trx, core.directory, key)) leavers.push(key);
  const standing = request.approvals.filter((word) => {
    if (leavers.some((leaver) => speaksFor(word, leaver))) return false;
    const known = (key: PrincipalKey) => approvers.find((candidate) => samePrincipal(candidate, key));
    const approver = known(word.approver);
    const speaker = word.delegation === undefined ? approver : known(word.delegation.delegator);
    if (approver?.groups.kind !== 'listed' || speaker?.groups.kind !== 'listed') return true;
    return (
      mayApprove(core, speaker, request, word.stage).allowed &&
      (speaker === approver || mayActFor(core, approver, speaker, request.team).allowed)
    );
  });
  const fallen = request.approvals.filter((word) => !standing.includes(word));
  for (const { approver, stage } of fallen) {
    await recordAudit(change, {
      event: 'approval.fallen',
      requestId: request.id,
      roleId: request.roleId,
      detail: { approver: { iss: approver.iss, sub: approver.sub }, stage, policyVersion: core.policy.hash },
    });
  }
  return fallen.length === 0 ? request : { ...request, approvals: standing };
}
