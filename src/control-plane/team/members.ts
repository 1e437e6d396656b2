import { type Kysely, sql } from 'kysely';
import * as z from 'zod/mini';

import { DUTIES, type Principal, type PrincipalKey } from '../../domain/principal.ts';
import type { TeamMemberView } from '../../protocol/team.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { toDate, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { fromCursor, toPage } from '../http/pages.ts';
import { timestamp } from '../requests/view.ts';
import { groupsOf, ledTeams } from '../roles/teams.ts';
import type { Database } from '../store/tables.ts';
import type { PageOf, TeamQuery } from './pages.ts';

interface MemberRow {
  readonly id: string;
  readonly iss: string;
  readonly sub: string;
  readonly user_name: string;
  readonly display_name: string;
  readonly groups: readonly string[];
  readonly duty: string | null;
  readonly seen_at: Date;
  /** The beginning of time where they were never given anything. */
  readonly given_at: Date;
  readonly waiting_since: Date | null;
  readonly open_grants: number;
}

const Duty = z.nullable(z.enum(DUTIES));

/**
 * The members of the teams that somebody leads, as far as OAM has met them; whoever was given nothing for longest first.
 *
 * @throws {OamError} `bad_request` for a foreign cursor, `groups_overflowed`.
 */
export async function listTeamMembers(
  core: Core,
  caller: Principal,
  { cursor, limit }: TeamQuery,
): Promise<PageOf<TeamMemberView>> {
  const after = fromCursor(cursor) ?? [-1, '00000000-0000-0000-0000-000000000000'];
  groupsOf(caller);
  const { catalogue } = core.policy;
  const teams = ledTeams(caller, catalogue);
  if (teams.length === 0) return { items: [], nextCursor: null };
  const { rows } = await sql<MemberRow>`
    with member as (
      select iss, sub, user_name, display_name, groups, duty, seen_at,
        -- As asUuid writes it.
        overlay(overlay(
          substring(encode(sha256(convert_to(iss || chr(10) || sub, 'UTF8')), 'hex') for 32)
          placing '8' from 13) placing '8' from 17)::uuid as id
      from oam.principal
      where workload is null and groups && ${groupsOfTeams(catalogue, teams)}::text[]
    ), seen as (
      select member.*,
        coalesce((
          select max(created_at) from oam.access_grant
          where iss = member.iss and sub = member.sub and team = any(${teams}::text[]) and review is null
        ), to_timestamp(0)) as given_at,
        (
          select min(created_at) from oam.access_request
          where iss = member.iss and sub = member.sub and team = any(${teams}::text[])
            and state in ('pending', 'awaiting_requester')
        ) as waiting_since,
        (
          select count(*)::integer from oam.access_grant
          where iss = member.iss and sub = member.sub and team = any(${teams}::text[])
            and state not in ('ended', 'failed')
        ) as open_grants
      from member
    )
    select * from seen
    where (given_at, id) > (${toDate(after[0])}::timestamptz, ${after[1]}::uuid)
    order by given_at, id
    limit ${limit + 1}`.execute(core.db);
  const views = rows.slice(0, limit).map((row) => ({
    person: { iss: row.iss, sub: row.sub, userName: row.user_name, displayName: row.display_name },
    duty: Duty.parse(row.duty),
    teams: teamsWith(catalogue, teams, row.groups),
    seenAt: timestamp(toMs(row.seen_at)),
    lastApprovedAt: row.given_at.getTime() === 0 ? null : timestamp(toMs(row.given_at)),
    waitingSince: timestamp(toMs(row.waiting_since)),
    openGrants: row.open_grants,
  }));
  return toPage(rows, limit, (row) => [row.given_at.getTime(), row.id], views);
}

/** Whom OAM has met of some teams. */
export async function membersOf(
  db: Kysely<Database>,
  catalogue: Catalogue,
  teams: readonly string[],
): Promise<(PrincipalKey & { readonly userName: string; readonly displayName: string })[]> {
  const rows = await db
    .selectFrom('principal')
    .select(['iss', 'sub', 'user_name', 'display_name'])
    .where('workload', 'is', null)
    .where(sql<boolean>`groups && ${groupsOfTeams(catalogue, teams)}::text[]`)
    .execute();
  return rows.map((row) => ({
    iss: row.iss,
    sub: row.sub,
    userName: row.user_name,
    displayName: row.display_name,
  }));
}

function groupsOfTeams(catalogue: Catalogue, names: readonly string[]): string[] {
  return catalogue.teams
    .filter(({ name }) => names.includes(name))
    .flatMap(({ group, leadGroup }) => [group, leadGroup]);
}

function teamsWith(catalogue: Catalogue, names: readonly string[], groups: readonly string[]): string[] {
  return catalogue.teams
    .filter(
      ({ name, group, leadGroup }) =>
        names.includes(name) && [group, leadGroup].some((each) => groups.includes(each)),
    )
    .map(({ name }) => name);
}
