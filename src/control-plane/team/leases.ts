import { sql } from 'kysely';

import type { Principal } from '../../domain/principal.ts';
import type { TeamLeaseView } from '../../protocol/team.ts';
import { storeNowMs, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { viewLease } from '../credentials/leases.ts';
import { readableGrants } from '../grants/rows.ts';
import { viewGrants } from '../grants/view.ts';
import { fromCursor, toPage } from '../http/pages.ts';
import { groupsOf, ledTeams } from '../roles/teams.ts';
import type { PageOf, TeamQuery } from './pages.ts';

/**
 * The credentials that are good now under grants of the teams that somebody leads, the soonest end first.
 *
 * @throws {OamError} `bad_request` for a foreign cursor, `groups_overflowed`.
 */
export async function listTeamLeases(
  core: Core,
  caller: Principal,
  { cursor, limit }: TeamQuery,
): Promise<PageOf<TeamLeaseView>> {
  const after = fromCursor(cursor);
  groupsOf(caller);
  const teams = ledTeams(caller, core.policy.catalogue);
  if (teams.length === 0) return { items: [], nextCursor: null };
  const nowMs = await storeNowMs(core.db);
  let select = core.db
    .selectFrom('credential_lease as lease')
    .selectAll('lease')
    // As a value, so that the leases are read in their order, and no more of them than a page takes.
    .where(
      sql<boolean>`(select holder.team from oam.access_grant holder where holder.id = lease.grant_id) = any(${teams}::text[])`,
    )
    .where('lease.state', 'in', ['issued', 'renewed', 'outlives'])
    .where('lease.expires_at', '>', toDate(nowMs))
    .orderBy('lease.expires_at')
    .orderBy('lease.id')
    .limit(limit + 1);
  if (after !== undefined) {
    select = select.where(
      sql<boolean>`(lease.expires_at, lease.id) > (${toDate(after[0])}, ${after[1]}::uuid)`,
    );
  }
  const rows = await select.execute();
  const shown = rows.slice(0, limit);
  const grantRows =
    shown.length === 0
      ? []
      : await core.db
          .selectFrom('access_grant')
          .selectAll()
          .where('id', 'in', [...new Set(shown.map((row) => row.grant_id))])
          .execute();
  const views = await viewGrants(core.db, readableGrants(grantRows, core.logger));
  const grants = new Map(views.map((grant) => [grant.id, grant]));
  const items = shown.flatMap((row) => {
    const grant = grants.get(row.grant_id);
    return grant === undefined ? [] : [{ lease: viewLease(row, nowMs), grant }];
  });
  const page = toPage(rows, limit, (row) => [row.expires_at.getTime(), row.id], shown);
  return { items, nextCursor: page.nextCursor };
}
