import { sql } from 'kysely';

import type { Principal } from '../../domain/principal.ts';
import type { DelegationView } from '../../protocol/delegations.ts';
import { storeNowMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { newestFirst, type PageQuery, toPage } from '../http/pages.ts';
import { ledTeams } from '../roles/teams.ts';
import { fromRow } from './rows.ts';
import { viewDelegations } from './view.ts';

/** What a list of delegations is asked for. */
export interface DelegationQuery extends PageQuery {
  readonly scope: 'given' | 'held' | 'team';
}

/**
 * Whom the caller named, who named the caller, or what was named in the teams that the caller leads; the newest first.
 *
 * @throws {OamError} `bad_request` for a foreign cursor.
 */
export async function listDelegations(
  core: Core,
  caller: Principal,
  query: DelegationQuery,
): Promise<{ items: DelegationView[]; nextCursor: string | null }> {
  let rows = newestFirst(core.db.selectFrom('delegation').selectAll(), 'created_at', query);
  if (query.scope === 'given') {
    rows = rows.where('iss', '=', caller.iss).where('sub', '=', caller.sub);
  } else if (query.scope === 'held') {
    rows = rows.where('delegate_iss', '=', caller.iss).where('delegate_sub', '=', caller.sub);
  } else {
    const led = ledTeams(caller, core.policy.catalogue);
    const groups = core.policy.catalogue.teams
      .filter((team) => led.includes(team.name))
      .flatMap((team) => [team.group, team.leadGroup]);
    rows = rows.where(
      sql<boolean>`exists (
        select from oam.principal person
        where person.iss = delegation.iss and person.sub = delegation.sub and person.groups && ${groups}::text[])`,
    );
  }
  const delegations = (await rows.execute()).map(fromRow);
  const nowMs = await storeNowMs(core.db);
  const views = await viewDelegations(core.db, delegations.slice(0, query.limit), nowMs);
  return toPage(delegations, query.limit, ({ createdAtMs, id }) => [createdAtMs, id], views);
}
