import { randomBytes, randomUUID } from 'node:crypto';

import * as z from 'zod/mini';

import { sha256Hex } from '../../domain/canonical.ts';
import { OamError } from '../../domain/errors.ts';
import { isLive } from '../../domain/grant.ts';
import { samePrincipal } from '../../domain/principal.ts';
import { hasOwnPath } from '../../domain/role.ts';
import { minutesToMs } from '../../domain/time.ts';
import type { HandOver } from '../../protocol/runners.ts';
import { recordAudit } from '../audit/record.ts';
import { type Change, inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { noSuchGrant, seesGrant } from '../grants/lists.ts';
import { lockGrant, type StoredGrant } from '../grants/rows.ts';
import { type Intent, once } from '../http/idempotency.ts';
import { timestamp } from '../requests/view.ts';
import { lockRunner } from './rows.ts';
import { codeRefused } from './tokens.ts';

/** How the codes begin: nothing else in the company looks like them, so that leaks can be searched for. */
export const CODE_PREFIX = 'oamh_';

const RANDOM_BYTES = 32;

/** How long a code is good for, in minutes: it goes from one program to the next, not through anybody's mail. */
const CODE_MINUTES = 5;

/** Runners of one grant that have not ended. */
const MAX_RUNNERS = 20;

/**
 * Offers a grant to a program of its holder that works without their session. The program can do what the role is for
 * and nothing else of what the holder may. The same key names the same program and makes another code for it, which is the
 * one that is good: codes are kept nowhere.
 *
 * @throws {OamError} `not_found`, `not_allowed`, `bad_request` (a role without a credential of its own needs the person's
 * sign-in), `grant_not_active`, `code_refused` (the program has taken over, or ended), `too_many_credentials`, `audit_unavailable`.
 */
export async function handOver(core: Core, intent: Intent, grantId: string, name: string): Promise<HandOver> {
  const Offered = z.object({ id: z.string() });
  return inChange(core.db, async (change) => {
    const { caller } = intent;
    const grant = await lockGrant(change, grantId);
    if (grant === undefined || !seesGrant(core, caller, grant)) throw noSuchGrant(grantId);
    if (!samePrincipal(grant.principal, caller)) {
      throw new OamError(
        'not_allowed',
        'Only the holder of an access can hand it over. Ask for the role yourself.',
      );
    }
    if (!hasOwnPath(grant.role.credential) || grant.role.credential === 'assume') {
      throw new OamError(
        'bad_request',
        'This role works by your own sign-in, which nobody hands over. Sign in where the program runs.',
      );
    }
    if (!isLive(grant)) {
      throw new OamError('grant_not_active', 'This access is not active. Ask for the role again.', {
        detail: grant.state,
      });
    }
    const { id } = await once(change, intent, Offered, () => addRunner(change, intent, grant, name.trim()));
    const runner = await lockRunner(change, id);
    if (runner?.redeemed_at !== null || runner.ended_at !== null) throw codeRefused();
    const code = newCode();
    const expiresAtMs = change.nowMs + minutesToMs(CODE_MINUTES);
    await change.trx
      .updateTable('runner')
      .set({ code_sha256: sha256Hex(code), code_expires_at: toDate(expiresAtMs) })
      .where('id', '=', id)
      .execute();
    await recordAudit(change, {
      event: 'runner.offered',
      actor: caller,
      grantId,
      requestId: grant.requestId,
      roleId: grant.roleId,
      detail: { runnerId: id, name: runner.name, expiresAtMs },
    });
    return { id, grantId, code, expiresAt: timestamp(expiresAtMs) };
  });
}

/** A program that nobody has a code for yet. */
async function addRunner(
  change: Change,
  { caller }: Intent,
  grant: StoredGrant,
  name: string,
): Promise<{ id: string }> {
  const { open } = await change.trx
    .selectFrom('runner')
    .select((eb) => eb.fn.countAll<string>().as('open'))
    .where('grant_id', '=', grant.id)
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow();
  if (Number(open) >= MAX_RUNNERS) {
    throw new OamError(
      'too_many_credentials',
      'Too many programs work under this access. End some of them first.',
      { detail: `at most ${MAX_RUNNERS}` },
    );
  }
  const id = randomUUID();
  await change.trx
    .insertInto('runner')
    .values({
      id,
      grant_id: grant.id,
      iss: caller.iss,
      sub: caller.sub,
      name,
      created_at: toDate(change.nowMs),
      code_sha256: sha256Hex(newCode()),
      code_expires_at: toDate(change.nowMs),
    })
    .execute();
  return { id };
}

function newCode(): string {
  return CODE_PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
}
