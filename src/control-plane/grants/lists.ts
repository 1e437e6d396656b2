import { sql } from 'kysely';

import { OamError } from '../../domain/errors.ts';
import { type Principal, samePrincipal } from '../../domain/principal.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { isAskedToReview } from '../break-glass/reviewers.ts';
import { isFor } from '../approvers/audience.ts';
import { toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { fromCursor, toPage } from '../http/pages.ts';
import { groupsOf, isAuditor, ledTeams } from '../roles/teams.ts';
import { findGrant, readableGrants, type StoredGrant } from './rows.ts';
import { viewGrant, viewGrants } from './view.ts';

/** What a list of grants is asked for; `to_review`: emergency access that waits for the caller's word. */
export interface GrantQuery {
  readonly scope: 'mine' | 'team' | 'to_review';
  /** Only those that have not ended. */
  readonly open: boolean;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** Stands for "no end yet" in a cursor: later than any end, and safe in JSON. */
const NO_END_MS = 253_402_300_799_000;

/** {@link NO_END_MS} where there is no end yet, word for word as the indexes have it that grants are listed by. */
const END = sql<Date>`coalesce(ends_at, timestamptz '9999-12-31 23:59:59+00')`;

/**
 * One's own grants, or those of the teams that one leads; the soonest end first, those without one last.
 *
 * @throws {OamError} `bad_request` for a foreign cursor, `groups_overflowed`.
 */
export async function listGrants(
  core: Core,
  caller: Principal,
  query: GrantQuery,
): Promise<{ items: GrantView[]; nextCursor: string | null }> {
  const after = fromCursor(query.cursor);
  let rows = core.db
    .selectFrom('access_grant')
    .selectAll()
    .orderBy(END)
    .orderBy('id')
    .limit(query.limit + 1);
  if (after !== undefined) {
    rows = rows.where(sql<boolean>`(${END}, id) > (${new Date(after[0])}::timestamptz, ${after[1]}::uuid)`);
  }
  if (query.open) rows = rows.where('state', 'not in', ['ended', 'failed']);
  if (query.scope === 'mine') {
    rows = rows.where('iss', '=', caller.iss).where('sub', '=', caller.sub);
  } else if (query.scope === 'to_review') {
    groupsOf(caller);
    const teams = ledTeams(caller, core.policy.catalogue);
    rows = rows
      .where('review', '=', 'pending')
      .where(sql<boolean>`(iss, sub) <> (${caller.iss}, ${caller.sub})`)
      .where(sql<boolean>`(team = any(${teams}::text[]) or ${isFor('reviewers', caller)})`);
  } else {
    groupsOf(caller);
    const teams = ledTeams(caller, core.policy.catalogue);
    if (teams.length === 0) return { items: [], nextCursor: null };
    rows = rows.where('team', 'in', teams);
  }
  const found = await rows.execute();
  const views = await viewGrants(core.db, readableGrants(found.slice(0, query.limit), core.logger));
  return toPage(found, query.limit, (row) => [toMs(row.ends_at) ?? NO_END_MS, row.id], views);
}

/**
 * One grant, for those whom it concerns.
 *
 * @throws {OamError} `not_found`.
 */
export async function getGrant(core: Core, caller: Principal, id: string): Promise<GrantView> {
  const grant = await findGrant(core.db, id);
  if (grant === undefined || !seesGrant(core, caller, grant)) throw noSuchGrant(id);
  return viewGrant(core.db, grant);
}

/** True if somebody may know that a grant exists: its holder, the leads of its team, its reviewers, auditors. */
export function seesGrant(core: Core, caller: Principal, grant: StoredGrant): boolean {
  const led = ledTeams(caller, core.policy.catalogue);
  return (
    samePrincipal(caller, grant.principal) ||
    isAuditor(caller) ||
    led.includes(grant.team) ||
    isAskedToReview(caller, led, grant)
  );
}

/** What is answered where there is no such grant for the caller. */
export function noSuchGrant(id: string): OamError {
  return new OamError('not_found', 'There is no such access. Refresh the list.', { detail: id });
}
