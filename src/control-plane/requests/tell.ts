import type { JsonObject } from '../../domain/canonical.ts';
import type { AuditDebt } from '../audit/debt.ts';
import { type Actor, type AuditEntry, recordAudit } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import { announce } from '../events/announce.ts';
import type { EventKind } from '../../protocol/events.ts';
import { giveCauses } from '../notices/cause.ts';
import type { StoredRequest } from './rows.ts';

type RequestEvent = Extract<EventKind, `request.${string}`>;

/** Puts a step of a request on the record and tells those whom it concerns; both in the step's own change. */
export async function tellOfRequest(
  change: Change,
  kind: RequestEvent,
  request: StoredRequest,
  actor: Actor | undefined,
  detail: JsonObject = {},
): Promise<void> {
  await recordAudit(change, entryOf(kind, request, actor, detail));
  await tellConcerned(change, kind, request);
}

/** As {@link tellOfRequest}, of what goes with an end of access: that happens whether or not the trail can be written. */
export async function tellOfRefusal(
  change: Change,
  debt: AuditDebt,
  request: StoredRequest,
  actor: Actor,
  detail: JsonObject,
): Promise<void> {
  await debt.record(change, entryOf('request.denied', request, actor, detail));
  await tellConcerned(change, 'request.denied', request);
}

function entryOf(
  kind: RequestEvent,
  request: StoredRequest,
  actor: Actor | undefined,
  detail: JsonObject,
): AuditEntry {
  return {
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
  };
}

async function tellConcerned(change: Change, kind: RequestEvent, request: StoredRequest): Promise<void> {
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
