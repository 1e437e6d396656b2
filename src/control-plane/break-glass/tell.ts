import type { JsonObject } from '../../domain/canonical.ts';
import { type Actor, recordAudit } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import { announce } from '../events/announce.ts';
import type { NewGrant } from '../grants/rows.ts';
import { giveCauses } from '../notices/cause.ts';

/**
 * Puts what happens to an emergency access on the record, and tells all who could have approved it: they are the ones
 * who look at it afterwards.
 *
 * @throws {OamError} `audit_unavailable`.
 */
export async function tellOfBreakGlass(
  change: Change,
  kind: 'grant.break_glass' | 'grant.reviewed',
  grant: NewGrant,
  actor: Actor | undefined,
  detail: JsonObject,
): Promise<void> {
  await recordAudit(change, {
    event: kind,
    actor,
    requestId: grant.requestId,
    grantId: grant.id,
    roleId: grant.roleId,
    detail: {
      principal: { iss: grant.principal.iss, sub: grant.principal.sub },
      purpose: grant.purpose,
      minutes: grant.minutes,
      ...detail,
    },
  });
  await announce(change, [
    {
      kind,
      requestId: grant.requestId,
      grantId: grant.id,
      concerns: grant.principal,
      approvers: grant.role.approval,
      team: grant.team,
    },
  ]);
  await giveCauses(change, [{ kind, requestId: grant.requestId, grantId: grant.id }]);
}
