import { randomBytes, randomUUID } from 'node:crypto';

import { sha256Hex } from '../../domain/canonical.ts';
import { OamError } from '../../domain/errors.ts';
import { isLive } from '../../domain/grant.ts';
import { samePrincipal } from '../../domain/principal.ts';
import { hasOwnPath } from '../../domain/role.ts';
import { minutesToMs } from '../../domain/time.ts';
import type { HandOver } from '../../protocol/runners.ts';
import { recordAudit } from '../audit/record.ts';
import { inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { noSuchGrant, seesGrant } from '../grants/lists.ts';
import { lockGrant } from '../grants/rows.ts';
import type { Intent } from '../http/idempotency.ts';
import { timestamp } from '../requests/view.ts';

/** How the codes begin: nothing else in the company looks like them, so that leaks can be searched for. */
export const CODE_PREFIX = 'oamh_';

const RANDOM_BYTES = 32;

/** How long a code is good for, in minutes: it goes from one program to the next, not through anybody's mail. */
const CODE_MINUTES = 5;

/** Runners of one grant that have not ended. */
const MAX_RUNNERS = 20;

/**
 * Offers a grant to a program of its holder that works without their session. The program can do what the role is for
 * and nothing else of what the holder may.
 *
 * @throws {OamError} `not_found`, `not_allowed`, `bad_request` (a role without a credential of its own needs the person's
 * sign-in), `grant_not_active`, `too_many_credentials`, `audit_unavailable`.
 */
export async function handOver(core: Core, intent: Intent, grantId: string, name: string): Promise<HandOver> {
  const code = CODE_PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
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
    const { open } = await change.trx
      .selectFrom('runner')
      .select((eb) => eb.fn.countAll<string>().as('open'))
      .where('grant_id', '=', grantId)
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
    const expiresAtMs = change.nowMs + minutesToMs(CODE_MINUTES);
    await change.trx
      .insertInto('runner')
      .values({
        id,
        grant_id: grantId,
        iss: caller.iss,
        sub: caller.sub,
        name: name.trim(),
        created_at: toDate(change.nowMs),
        code_sha256: sha256Hex(code),
        code_expires_at: toDate(expiresAtMs),
      })
      .execute();
    await recordAudit(change, {
      event: 'runner.offered',
      actor: caller,
      grantId,
      requestId: grant.requestId,
      roleId: grant.roleId,
      detail: { runnerId: id, name: name.trim(), expiresAtMs },
    });
    return { id, grantId, code, expiresAt: timestamp(expiresAtMs) };
  });
}
