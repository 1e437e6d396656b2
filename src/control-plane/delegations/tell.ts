import type { Delegation } from '../../domain/delegation.ts';
import type { JsonObject } from '../../domain/canonical.ts';
import type { PrincipalKey } from '../../domain/principal.ts';
import type { AuditDebt } from '../audit/debt.ts';
import { type Actor, recordAudit } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import { announce } from '../events/announce.ts';
import type { EventKind } from '../../protocol/events.ts';

/**
 * Puts it on the record that somebody may decide for somebody else, or it is not so; and tells both.
 *
 * @throws {OamError} `audit_unavailable`.
 */
export async function tellOfNaming(change: Change, delegation: Delegation, actor: Actor): Promise<void> {
  await recordAudit(change, { event: 'delegation.created', actor, detail: facts(delegation) });
  await tellBoth(change, 'delegation.created', delegation);
}

/** Puts the end of a delegation on the record as far as there is one, and tells both. */
export async function tellOfRevocation(
  change: Change,
  debt: AuditDebt,
  delegation: Delegation,
  actor: Actor,
): Promise<void> {
  await debt.record(change, { event: 'delegation.revoked', actor, detail: facts(delegation) });
  await tellBoth(change, 'delegation.revoked', delegation);
}

async function tellBoth(
  change: Change,
  kind: Extract<EventKind, `delegation.${string}`>,
  { delegator, delegate }: Delegation,
): Promise<void> {
  await announce(
    change,
    [delegator, delegate].map((concerns) => ({ kind, concerns, approvers: [], team: '' })),
  );
}

function facts(delegation: Delegation): JsonObject {
  return {
    delegationId: delegation.id,
    delegator: key(delegation.delegator),
    delegate: key(delegation.delegate),
    reason: delegation.reason,
    startsAtMs: delegation.startsAtMs,
    endsAtMs: delegation.endsAtMs,
  };
}

function key({ iss, sub }: PrincipalKey): JsonObject {
  return { iss, sub };
}
