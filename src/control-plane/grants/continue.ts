import { sql } from 'kysely';

import { handOver } from '../../domain/extension.ts';
import { membershipOf, sameMembership } from '../../domain/membership.ts';
import { type ExtensionBase, windowMinutes } from '../../domain/request.ts';
import { reviewDue } from '../../domain/review.ts';
import type { Role } from '../../domain/role.ts';
import type { Actor } from '../audit/record.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { type Change, toDate } from '../changes/change.ts';
import type { StoredRequest } from '../requests/rows.ts';
import { insertGrant, lockGrant, saveGrant, type StoredGrant } from './rows.ts';
import { tellOfOpening } from './tell.ts';

/**
 * Lets a grant be followed by another in one moment: the membership that reads have shown stays as it is, nothing is
 * written to Databricks, and whoever uses the role notices nothing.
 *
 * @throws {OamError} `grant_not_active`, `already_extended`, `audit_unavailable`.
 */
export async function continueGrant(
  change: Change,
  request: StoredRequest,
  base: ExtensionBase,
  actor: Actor | undefined,
): Promise<StoredGrant> {
  const grant = await lockGrant(change, base.grantId);
  if (grant === undefined || request.grantId === undefined) {
    throw new TypeError(`An extension needs a grant and an approved request: ${request.id}`);
  }
  const seed = { id: request.grantId, requestId: request.id, minutes: windowMinutes(request) };
  const { earlier, later } = handOver(grant, seed, change.nowMs);
  const continued: StoredGrant = {
    ...later,
    role: request.role,
    roleHash: request.roleHash,
    team: request.team,
    purpose: request.purpose,
    review: reviewDue(request.breakGlass),
  };
  await saveGrant(change, grant, earlier);
  await insertGrant(change, continued);
  await inheritAddition(change, earlier, continued);
  await tellOfOpening(
    change,
    'grant.extended',
    earlier,
    {
      successor: continued.id,
      minutes: continued.minutes,
      heldSinceMs: continued.heldSinceMs,
      requestHash: request.hash,
      policyVersion: request.policyVersion,
    },
    actor,
  );
  await tellOfOpening(change, 'grant.active', continued, { extends: earlier.id, minutes: continued.minutes });
  return continued;
}

/** True where a role, as the catalogue has it now, gives the same right by the same means as the grant does. */
export function continuesAs(role: Role, catalogue: Catalogue, grant: StoredGrant): boolean {
  const host = catalogue.workspaces.find((workspace) => workspace.name === role.workspace)?.host;
  return (
    host === grant.workspaceHost &&
    role.credential === grant.role.credential &&
    role.servicePrincipal?.applicationId === grant.role.servicePrincipal?.applicationId &&
    sameMembership(membershipOf(role, grant.principal), grant.membership)
  );
}

/** What was written for the earlier grant was written for this one too: its end finds that there is something to remove. */
async function inheritAddition(change: Change, earlier: StoredGrant, later: StoredGrant): Promise<void> {
  await sql`
    insert into oam.effect (grant_id, kind, group_id, state, next_attempt_at, begun_at, written_at, created_at, settled_at)
    select ${later.id}, kind, group_id, state, next_attempt_at, begun_at, written_at, created_at, ${toDate(change.nowMs)}
    from oam.effect where grant_id = ${earlier.id} and kind = 'add_member'`.execute(change.trx);
}
