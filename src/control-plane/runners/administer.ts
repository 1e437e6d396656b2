import { OamError } from '../../domain/errors.ts';
import { type Principal, samePrincipal } from '../../domain/principal.ts';
import type { RunnerView } from '../../protocol/runners.ts';
import { inChange, toMs } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { noSuchGrant, seesGrant } from '../grants/lists.ts';
import { findGrant } from '../grants/rows.ts';
import { newestFirst, type PageQuery, toPage } from '../http/pages.ts';
import { ledTeams } from '../roles/teams.ts';
import { lockRunner, viewRunner } from './rows.ts';
import { endRow } from './tokens.ts';

/**
 * The runners of a grant, the newest first, for those who may know of it.
 *
 * @throws {OamError} `not_found`, `bad_request` for a foreign cursor.
 */
export async function listRunners(
  core: Core,
  caller: Principal,
  grantId: string,
  query: PageQuery,
): Promise<{ items: RunnerView[]; nextCursor: string | null }> {
  const grant = await findGrant(core.db, grantId);
  if (grant === undefined || !seesGrant(core, caller, grant)) throw noSuchGrant(grantId);
  const runners = core.db.selectFrom('runner').selectAll().where('grant_id', '=', grantId);
  const found = await newestFirst(runners, 'created_at', query).execute();
  return toPage(
    found,
    query.limit,
    (row) => [toMs(row.created_at), row.id],
    found.slice(0, query.limit).map(viewRunner),
  );
}

/**
 * Ends a runner at once: what it asks for from now on is refused. What it was given lives until it expires or its grant
 * ends.
 *
 * @throws {OamError} `not_found`, `not_allowed`.
 */
export async function endRunner(core: Core, caller: Principal, id: string): Promise<RunnerView> {
  return inChange(core.db, async (change) => {
    const runner = await lockRunner(change, id);
    const grant = runner && (await findGrant(change.trx, runner.grant_id));
    if (runner === undefined || grant === undefined || !seesGrant(core, caller, grant)) {
      throw new OamError('not_found', 'There is no such runner. Refresh the list.', { detail: id });
    }
    const mayEnd =
      samePrincipal(caller, runner) || ledTeams(caller, core.policy.catalogue).includes(grant.team);
    if (!mayEnd) {
      throw new OamError(
        'not_allowed',
        'Only its owner and the leads of its team end a runner. Ask one of them.',
      );
    }
    if (runner.ended_at !== null) return viewRunner(runner);
    return viewRunner(await endRow(core, change, runner, 'revoked', caller));
  });
}
