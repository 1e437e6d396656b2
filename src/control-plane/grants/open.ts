import { scheduleGrant } from '../../domain/grant.ts';
import { membershipOf } from '../../domain/membership.ts';
import { windowMinutes } from '../../domain/request.ts';
import { reviewDue } from '../../domain/review.ts';
import type { Actor } from '../audit/record.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { type Change, toDate } from '../changes/change.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { StoredRequest } from '../requests/rows.ts';
import { insertGrant, type NewGrant } from './rows.ts';
import { tellOfOpening } from './tell.ts';

/**
 * Commits to a grant: grant, deadline, effect and audit row, in the change that approves the request and before
 * Databricks hears of it.
 *
 * @param actor whose word completed the request; absent where policy alone decided.
 */
export async function openGrant(
  change: Change,
  catalogue: Catalogue,
  request: StoredRequest,
  actor: Actor | undefined,
): Promise<NewGrant> {
  const { grantId, role, requester } = request;
  if (grantId === undefined) throw new TypeError(`A grant needs an approved request: ${request.id}`);
  const workspace = catalogue.workspaces.find((candidate) => candidate.name === role.workspace);
  if (workspace === undefined) throw new TypeError(`The catalogue has no such workspace: ${role.workspace}`);
  const seed = {
    id: grantId,
    requestId: request.id,
    principal: requester,
    roleId: role.id,
    minutes: windowMinutes(request),
    runGraceMinutes: (await findPrincipal(change.trx, requester))?.workload?.run?.graceMinutes,
    startsAtMs: request.startsAtMs,
    review: reviewDue(request.breakGlass),
  };
  const grant: NewGrant = {
    ...scheduleGrant(seed, change.nowMs),
    role,
    roleHash: request.roleHash,
    team: request.team,
    workspaceHost: workspace.host,
    membership: membershipOf(role, requester),
    memberId: role.servicePrincipal?.id,
    purpose: request.purpose,
  };
  await insertGrant(change, grant);
  await change.trx
    .insertInto('effect')
    .values({
      grant_id: grantId,
      kind: 'add_member',
      group_id: role.group.id,
      next_attempt_at: toDate(Math.max(change.nowMs, request.startsAtMs ?? 0)),
      begun_at: null,
      written_at: null,
      first_absent_at: null,
      created_at: toDate(change.nowMs),
      settled_at: null,
    })
    .execute();
  await tellOfOpening(
    change,
    'grant.scheduled',
    grant,
    {
      minutes: seed.minutes,
      startsAtMs: request.startsAtMs,
      requestHash: request.hash,
      policyVersion: request.policyVersion,
    },
    actor,
  );
  return grant;
}
