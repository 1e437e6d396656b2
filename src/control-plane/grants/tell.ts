import type { JsonObject } from '../../domain/canonical.ts';
import type { AuditDebt } from '../audit/debt.ts';
import { type Actor, recordAudit } from '../audit/record.ts';
import type { Change } from '../changes/change.ts';
import { announce, type Announcement } from '../events/announce.ts';
import type { EventKind } from '../../protocol/events.ts';
import { giveCauses } from '../notices/cause.ts';
import type { ComputedField, HeldGrant } from './rows.ts';

type GrantEvent = Extract<EventKind, `grant.${string}`>;

/** What is told of a grant: also of one that is about to be stored. */
type ToldGrant = Omit<HeldGrant, ComputedField>;

/** Puts a step towards access on the record, or the step does not happen; and tells those whom it concerns. */
export async function tellOfOpening(
  change: Change,
  kind: GrantEvent,
  grant: ToldGrant,
  detail: JsonObject = {},
  actor?: Actor,
): Promise<void> {
  await recordAudit(change, { event: kind, actor, ...about(grant), detail: { ...facts(grant), ...detail } });
  await announce(change, [announcementOf(kind, grant)]);
}

/** A step that takes access away. */
export interface EndingStep {
  readonly kind: GrantEvent;
  readonly grant: HeldGrant;
  /** Absent where OAM acts by itself. */
  readonly actor?: Actor | undefined;
  readonly detail?: JsonObject | undefined;
}

/** Puts steps that take access away on the record as far as there is one, and tells those whom they concern. */
export async function tellOfEndings(
  change: Change,
  debt: AuditDebt,
  steps: readonly EndingStep[],
): Promise<void> {
  await debt.recordAll(
    change,
    steps.map(({ kind, grant, actor, detail }) => ({
      event: kind,
      actor,
      ...about(grant),
      detail: { ...facts(grant), ...detail },
    })),
  );
  await announce(
    change,
    steps.map(({ kind, grant }) => announcementOf(kind, grant)),
  );
  await giveCauses(
    change,
    steps.flatMap(({ kind, grant: { requestId, id } }) =>
      kind === 'grant.revoke_stuck' ? [{ kind, requestId, grantId: id }] : [],
    ),
  );
}

/** Tells those whom grants concern that something about them is new, without a word on the record. */
export async function tellAgain(change: Change, grants: readonly HeldGrant[]): Promise<void> {
  await announce(
    change,
    grants.flatMap((grant) =>
      grant.state === 'ended' ? [] : [announcementOf(`grant.${grant.state}`, grant)],
    ),
  );
}

function announcementOf(kind: GrantEvent, grant: ToldGrant): Announcement {
  return {
    kind,
    requestId: grant.requestId,
    grantId: grant.id,
    concerns: grant.principal,
    approvers: [],
    team: grant.team,
  };
}

function about(grant: ToldGrant) {
  return { requestId: grant.requestId, grantId: grant.id, roleId: grant.roleId };
}

function facts(grant: ToldGrant): JsonObject {
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
