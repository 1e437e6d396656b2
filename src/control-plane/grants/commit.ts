import type { Actor } from '../audit/record.ts';
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
  return request.extension === undefined
    ? openGrant(change, catalogue, request, actor)
    : continueGrant(change, request, request.extension, actor);
}
