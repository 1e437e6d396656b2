import type { JsonObject } from '../../domain/canonical.ts';
import type { AuditDebt } from '../audit/debt.ts';
import { type Actor, recordAudit } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import { announce, type EventKind } from '../events/announce.ts';
import type { StoredGrant } from './rows.ts';

type GrantEvent = Extract<EventKind, `grant.${string}`>;

/** Puts a step towards access on the record, or the step does not happen; and tells those whom it concerns. */
export async function tellOfOpening(
  change: Change,
  kind: GrantEvent,
  grant: StoredGrant,
  detail: JsonObject = {},
  actor?: Actor,
): Promise<void> {
  await recordAudit(change, { event: kind, actor, ...about(grant), detail: { ...facts(grant), ...detail } });
  await announceGrant(change, kind, grant);
}

/** Puts a step that takes access away on the record as far as there is one, and tells those whom it concerns. */
export async function tellOfEnding(
  change: Change,
  debt: AuditDebt,
  kind: GrantEvent,
  grant: StoredGrant,
  actor?: Actor,
  detail: JsonObject = {},
): Promise<void> {
  await debt.record(change, { event: kind, actor, ...about(grant), detail: { ...facts(grant), ...detail } });
  await announceGrant(change, kind, grant);
}

async function announceGrant(change: Change, kind: GrantEvent, grant: StoredGrant): Promise<void> {
  await announce(change, {
    kind,
    requestId: grant.requestId,
    grantId: grant.id,
    concerns: grant.principal,
    approverGroups: [],
    team: grant.team,
  });
}

function about(grant: StoredGrant) {
  return { requestId: grant.requestId, grantId: grant.id, roleId: grant.roleId };
}

function facts(grant: StoredGrant): JsonObject {
  return {
    version: grant.version,
    principal: { iss: grant.principal.iss, sub: grant.principal.sub },
    group: grant.membership.groupId,
    endReason: grant.endReason,
    endsAtMs: grant.endsAtMs,
    membershipPresentAtMs: grant.membershipPresentAtMs,
    membershipAbsentAtMs: grant.membershipAbsentAtMs,
    outlives: grant.outlives && { ...grant.outlives },
    trouble: grant.trouble,
  };
}
