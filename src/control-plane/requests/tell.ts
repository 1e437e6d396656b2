import type { JsonObject } from '../../domain/canonical.ts';
import { type Actor, recordAudit } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import { announce } from '../events/announce.ts';
import type { EventKind } from '../../protocol/events.ts';
import { giveCauses } from '../notices/cause.ts';
import type { StoredRequest } from './rows.ts';

/** Puts a step of a request on the record and tells those whom it concerns; both in the step's own change. */
export async function tellOfRequest(
  change: Change,
  kind: Extract<EventKind, `request.${string}`>,
  request: StoredRequest,
  actor: Actor | undefined,
  detail: JsonObject = {},
): Promise<void> {
  await recordAudit(change, {
    event: kind,
    actor,
    requestId: request.id,
    grantId: request.grantId,
    roleId: request.roleId,
    detail: {
      version: request.version,
      hash: request.hash,
      policyVersion: request.policyVersion,
      ...detail,
    },
  });
  await announce(change, [
    {
      kind,
      requestId: request.id,
      grantId: request.grantId,
      concerns: request.requester,
      approvers: request.stages,
      team: request.team,
    },
  ]);
  await giveCauses(change, [{ kind, requestId: request.id, grantId: request.grantId }]);
}
