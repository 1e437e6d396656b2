import { type Kysely, sql } from 'kysely';

import { canonicalJson, sha256Hex } from '../../domain/canonical.ts';
import type { Bearer } from '../authentication/token-verifier.ts';
import { inChange, toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import type { Database } from '../store/tables.ts';
import type { Caller } from './caller.ts';

/** Puts sign-ins on the record. */
export interface SessionRecord {
  /** A token was good. Its first use is a row, and only that. Never stands in anybody's way. */
  seen(bearer: Bearer, caller: Caller): Promise<void>;
}

/** More tokens than are in use at once; beyond it the store is asked again, which costs time and doubles nothing. */
const REMEMBERED = 20_000;

/** Creates the record. */
export function createSessionRecord(core: Pick<Core, 'db' | 'debt' | 'logger'>): SessionRecord {
  const remembered = new Set<string>();
  return {
    async seen(bearer, caller) {
      const hash = hashOf(bearer);
      if (remembered.has(hash)) return;
      try {
        await recordFirstUse(core, bearer, caller, hash);
      } catch (error) {
        core.logger.error('A sign-in could not be recorded; it will be at the next call.', {
          reason: error instanceof Error ? error.message : 'unknown',
        });
        return;
      }
      if (remembered.size >= REMEMBERED) remembered.clear();
      remembered.add(hash);
    },
  };
}

/** What tells a token from others: its id, or where it has none, when it was issued and how long it is good. */
function hashOf({ principal, tokenId, issuedAtMs, expiresAtMs }: Bearer): string {
  const { iss, sub } = principal;
  return sha256Hex(canonicalJson([iss, sub, tokenId ?? [issuedAtMs, expiresAtMs]]));
}

async function recordFirstUse(
  core: Pick<Core, 'db' | 'debt'>,
  { principal, tokenId, clientId, issuedAtMs, expiresAtMs }: Bearer,
  caller: Caller,
  hash: string,
): Promise<void> {
  await inChange(core.db, async (change) => {
    const first = await change.trx
      .insertInto('session_seen')
      .values({
        iss: principal.iss,
        sub: principal.sub,
        token_hash: hash,
        expires_at: toDate(expiresAtMs),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('token_hash')
      .executeTakeFirst();
    if (first === undefined) return;
    await core.debt.record(change, {
      event: 'session.seen',
      actor: principal,
      detail: { tokenId, clientId, issuedAtMs, expiresAtMs, ...caller },
    });
  });
}

/** Forgets tokens that nobody can use any more. */
export async function forgetExpiredSessions(db: Kysely<Database>): Promise<void> {
  // Later than a token is let in: the clocks of others may differ.
  await sql`delete from oam.session_seen where expires_at < oam.now() - interval '1 hour'`.execute(db);
}
