import type { Actor } from '../audit/record.ts';
import { findPrincipal } from '../authentication/principals.ts';
import { tellOfBreakGlass } from '../break-glass/tell.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Change } from '../changes/change.ts';
import type { StoredRequest } from '../requests/rows.ts';
import { continueGrant } from './continue.ts';
import { openGrant } from './open.ts';

/**
 * Commits to what an approved request asked for, in the change that approves it: a new grant, or one that follows
 * another without a gap.
 *
 * @param actor whose word completed the request; absent where policy alone decided.
 * @throws {OamError} `grant_not_active`, `already_extended` where the grant that was to last longer is over;
 * `audit_unavailable`.
 */
export async function commitGrant(
  change: Change,
  catalogue: Catalogue,
  request: StoredRequest,
  actor: Actor | undefined,
): Promise<void> {
  const grant =
    request.extension === undefined
      ? await openGrant(change, catalogue, request, actor)
      : await continueGrant(change, request, request.extension, actor);
  if (grant.review !== undefined) {
    const who = actor ?? (await findPrincipal(change.trx, grant.principal));
    await tellOfBreakGlass(change, 'grant.break_glass', grant, who, { ticket: request.ticket });
  }
}
