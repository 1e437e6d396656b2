import { randomBytes } from 'node:crypto';

import { type Kysely, sql } from 'kysely';
import type * as z from 'zod/mini';

import { sha256Hex } from '../../domain/canonical.ts';
import { OamError } from '../../domain/errors.ts';
import type { EpochMs } from '../../domain/time.ts';
import { RequestView } from '../../protocol/schemas.ts';
import type { OpenLinkBody } from '../../protocol/requests.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { noSuchRequest, seesRequest } from '../requests/decide.ts';
import { findRequest } from '../requests/rows.ts';
import { viewRequest } from '../requests/view.ts';
import type { Database } from '../store/tables.ts';

const NONCE_BYTES = 32;

/** Makes the nonce of a link that opens a request, and nothing but opens it. */
export async function makeLink(change: Change, requestId: string, expiresAtMs: EpochMs): Promise<string> {
  const nonce = randomBytes(NONCE_BYTES).toString('base64url');
  await change.trx
    .insertInto('request_link')
    .values({ nonce_hash: sha256Hex(nonce), request_id: requestId, expires_at: toDate(expiresAtMs) })
    .execute();
  return nonce;
}

/**
 * Shows the request of a link to somebody who may see it anyway: who they are decides, not the link. Each person opens a
 * link once.
 *
 * @throws {OamError} `not_found`, `link_spent`, `idempotency_key_reused`, `audit_unavailable`.
 */
export async function openLink(
  core: Core,
  intent: Intent,
  requestId: string,
  { nonce }: z.output<typeof OpenLinkBody>,
): Promise<RequestView> {
  return inChange(core.db, (change) =>
    once(change, intent, RequestView, async () => {
      const { caller } = intent;
      const request = await findRequest(change.trx, requestId);
      if (request === undefined || !(await seesRequest(core, change.trx, caller, request)))
        throw noSuchRequest(requestId);
      if (!(await spend(change, caller, requestId, nonce))) {
        throw new OamError(
          'link_spent',
          'You opened this link before, or it is too old. What waits for you is under Approvals.',
        );
      }
      await recordAudit(change, {
        event: 'request.link_opened',
        actor: caller,
        requestId,
        roleId: request.roleId,
      });
      return viewRequest(change.trx, request);
    }),
  );
}

async function spend(
  change: Change,
  caller: Intent['caller'],
  requestId: string,
  nonce: string,
): Promise<boolean> {
  const link = await change.trx
    .selectFrom('request_link')
    .select('nonce_hash')
    .where('nonce_hash', '=', sha256Hex(nonce))
    .where('request_id', '=', requestId)
    .where('expires_at', '>', toDate(change.nowMs))
    .executeTakeFirst();
  if (link === undefined) return false;
  const opened = await change.trx
    .insertInto('request_link_opened')
    .values({ ...link, iss: caller.iss, sub: caller.sub, at: toDate(change.nowMs) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('sub')
    .executeTakeFirst();
  return opened !== undefined;
}

/** Forgets links that open nothing any more. */
export async function forgetOldLinks(db: Kysely<Database>): Promise<void> {
  await sql`delete from oam.request_link where expires_at < oam.now()`.execute(db);
}
