import { type Kysely, sql } from 'kysely';

import { canonicalJson, sha256Hex } from '../../domain/canonical.ts';
import type { Logger } from '../../domain/logger.ts';
import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../domain/time.ts';
import type { OperationId } from '../../protocol/endpoints.ts';
import type { SessionLimits } from '../../protocol/configuration.ts';
import { toDate, toMs } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';
import { type Bearer, TokenRefused } from './token-verifier.ts';

/** Holds sessions to the company's limits. */
export interface SessionLimitCheck {
  /**
   * Refuses a call of a session that is over, which it then stays, and counts any other as its use.
   *
   * @throws {TokenRefused} `session_over_limit`.
   */
  expectWithin(bearer: Bearer, operation: OperationId, nowMs: EpochMs): Promise<void>;
}

/**
 * What goes on for as long as a grant lives, and no longer, whatever became of the session: a job that runs through the
 * night draws its credentials and gives back what it does not need. It is no use of the session either.
 */
const BOUND_TO_A_GRANT: ReadonlySet<OperationId> = new Set([
  'issueCredential',
  'getGrant',
  'returnGrant',
  'returnCredentials',
]);

/** A use is written down when the one before is older than this. */
const USE_EVERY_MS = MINUTE_MS / 2;

/** Creates the check; nothing is kept where the company has no limits. */
export function createSessionLimitCheck(
  db: Kysely<Database>,
  limits: SessionLimits | undefined,
  logger: Logger,
): SessionLimitCheck {
  let isMissed = false;
  return {
    async expectWithin(bearer, operation, nowMs) {
      // A workload has no session: each of its tokens is exchanged anew. A runner's is its grant.
      const hasNone = bearer.principal.workload !== undefined || bearer.runner !== undefined;
      if (limits === undefined || hasNone) return;
      if (BOUND_TO_A_GRANT.has(operation)) return;
      const { sessionId, signedInAtMs } = bearer;
      if (sessionId === undefined && signedInAtMs === undefined) {
        if (!isMissed) {
          logger.warn(
            "The identity provider's access tokens have neither `sid` nor `auth_time`: only the editor holds its sessions to the limits.",
          );
        }
        isMissed = true;
        return;
      }
      const { began_at: begunAt, used_at: usedAt } = await sessionRow(db, bearer, nowMs);
      const refuse = (what: string): never => {
        throw new TokenRefused(
          'session_over_limit',
          `Sign in again. Your company ends sessions ${what}`,
          bearer.principal,
        );
      };
      const { absoluteHours, idleMinutes } = limits;
      if (absoluteHours !== undefined && nowMs - toMs(begunAt) >= absoluteHours * HOUR_MS) {
        refuse(`after: ${absoluteHours} h`);
      }
      if (idleMinutes !== undefined && nowMs - toMs(usedAt) >= idleMinutes * MINUTE_MS) {
        refuse(`that are not used for: ${idleMinutes} min`);
      }
      if (nowMs - toMs(usedAt) >= USE_EVERY_MS) await markUse(db, bearer, nowMs);
    },
  };
}

/** A sign-in is told from the next one by when it was, also where the provider goes on with the same session. */
function hashOf({ principal, sessionId, signedInAtMs }: Bearer): string {
  return sha256Hex(canonicalJson([principal.iss, principal.sub, sessionId ?? null, signedInAtMs ?? null]));
}

async function sessionRow(
  db: Kysely<Database>,
  bearer: Bearer,
  nowMs: EpochMs,
): Promise<{ readonly began_at: Date; readonly used_at: Date }> {
  const hash = hashOf(bearer);
  const known = await db
    .selectFrom('person_session')
    .select(['began_at', 'used_at'])
    .where('session_hash', '=', hash)
    .executeTakeFirst();
  if (known !== undefined) return known;
  const begins = { began_at: toDate(bearer.signedInAtMs ?? nowMs), used_at: toDate(nowMs) };
  await db
    .insertInto('person_session')
    .values({ session_hash: hash, ...begins })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return begins;
}

async function markUse(db: Kysely<Database>, bearer: Bearer, nowMs: EpochMs): Promise<void> {
  await db
    .updateTable('person_session')
    .set({ used_at: toDate(nowMs) })
    .where('session_hash', '=', hashOf(bearer))
    .where('used_at', '<', toDate(nowMs))
    .execute();
}

/**
 * Kept this long after the last use: what is over must not begin anew. That is longer than identity providers keep a
 * session alive that is not used: what they remember in browsers ends after 400 days at most (RFC 6265bis §5.5).
 */
const KEPT_DAYS = 400;

/** Forgets sessions that nobody has used for long. */
export async function forgetOldSessions(db: Kysely<Database>): Promise<void> {
  await sql`delete from oam.person_session where used_at < oam.now() - make_interval(days => ${KEPT_DAYS})`.execute(
    db,
  );
}
