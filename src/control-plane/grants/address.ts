import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Change } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { noSuchGrant, seesGrant } from './lists.ts';
import { lockGrant, type StoredGrant } from './rows.ts';

/** Which grant, and at which version where the sender said so (`If-Match`). */
export interface GrantAddress {
  readonly grantId: string;
  readonly version: number | undefined;
}

/**
 * Reads the grant that a caller speaks of and keeps it from changing until the transaction ends.
 *
 * @throws {OamError} `not_found`, `precondition_failed`.
 */
export async function lockAddressed(
  core: Core,
  change: Change,
  caller: Principal,
  { grantId, version }: GrantAddress,
): Promise<StoredGrant> {
  const grant = await lockGrant(change, grantId);
  if (grant === undefined || !seesGrant(core, caller, grant)) throw noSuchGrant(grantId);
  if (version === undefined || version === grant.version) return grant;
  throw new OamError(
    'precondition_failed',
    'This access has changed since you looked at it. Look at it again and decide anew.',
  );
}

/** The grant that an extended one lives on in, locked as well; the grant itself where nothing follows it. */
export async function lockLatest(change: Change, grant: StoredGrant): Promise<StoredGrant> {
  let latest = grant;
  while (latest.successorId !== undefined) {
    const next = await lockGrant(change, latest.successorId);
    if (next === undefined) throw new TypeError(`The store has no grant ${latest.successorId}.`);
    latest = next;
  }
  return latest;
}
