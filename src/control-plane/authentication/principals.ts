import { type Kysely, type Selectable, sql } from 'kysely';
import * as z from 'zod/mini';

import { DUTIES, type Principal, type PrincipalKey } from '../../domain/principal.ts';
import { toDate, toMs } from '../changes/change.ts';
import type { Database, PrincipalTable } from '../store/tables.ts';

const Duty = z.enum(DUTIES);

/**
 * Keeps what the identity provider said about somebody. Older words never replace newer ones.
 *
 * @returns true if this was news.
 */
export async function rememberPrincipal(db: Kysely<Database>, principal: Principal): Promise<boolean> {
  // Most calls bring nothing new, and reading costs less than a write that changes nothing.
  const known = await findPrincipal(db, principal);
  if (known !== undefined && known.seenAtMs >= principal.seenAtMs) return false;
  const facts = {
    user_name: principal.userName,
    display_name: principal.displayName,
    groups: principal.groups.kind === 'listed' ? [...principal.groups.names] : null,
    duty: principal.duty ?? null,
    seen_at: toDate(principal.seenAtMs),
  };
  const written = await db
    .insertInto('principal')
    .values({ iss: principal.iss, sub: principal.sub, ...facts })
    .onConflict((conflict) =>
      conflict
        .columns(['iss', 'sub'])
        .doUpdateSet(facts)
        .where('principal.seen_at', '<', sql<Date>`excluded.seen_at`),
    )
    .returning('sub')
    .executeTakeFirst();
  return written !== undefined;
}

/** What was last said about somebody. */
export async function findPrincipal(db: Kysely<Database>, key: PrincipalKey): Promise<Principal | undefined> {
  const row = await db
    .selectFrom('principal')
    .selectAll()
    .where('iss', '=', key.iss)
    .where('sub', '=', key.sub)
    .executeTakeFirst();
  return row && fromRow(row);
}

/** What was last said about each of several; those who were never here are left out. */
export async function findPrincipals(
  db: Kysely<Database>,
  keys: readonly PrincipalKey[],
): Promise<Principal[]> {
  if (keys.length === 0) return [];
  const rows = await db
    .selectFrom('principal')
    .selectAll()
    .where('sub', 'in', [...new Set(keys.map((key) => key.sub))])
    .execute();
  return rows.filter((row) => keys.some((key) => key.iss === row.iss && key.sub === row.sub)).map(fromRow);
}

function fromRow(row: Selectable<PrincipalTable>): Principal {
  return {
    iss: row.iss,
    sub: row.sub,
    userName: row.user_name,
    displayName: row.display_name,
    groups: row.groups === null ? { kind: 'overflowed' } : { kind: 'listed', names: row.groups },
    duty: row.duty === null ? undefined : Duty.parse(row.duty),
    seenAtMs: toMs(row.seen_at),
  };
}
