import { type Kysely, type Selectable, sql } from 'kysely';
import * as z from 'zod/mini';

import { DUTIES, type Principal, type PrincipalKey, type WorkloadFacts } from '../../domain/principal.ts';
import { toDate, toMs } from '../changes/change.ts';
import type { Database, PrincipalTable } from '../store/tables.ts';

const Duty = z.enum(DUTIES);

const Attributes = z.record(z.string(), z.array(z.string()));

const Workload = z.pipe(
  z.object({
    issuer: z.string(),
    claims: z.record(z.string(), z.string()),
    run: z.optional(z.object({ key: z.string(), graceMinutes: z.int() })),
  }),
  z.transform((workload): WorkloadFacts => ({ ...workload, run: workload.run })),
);

/** What {@link rememberPrincipal} made of the identity provider's word. */
export interface Remembered {
  /** The newest facts that are known: those of the word, or later ones. */
  readonly principal: Principal;
  /** True if the word was news. */
  readonly news: boolean;
}

/**
 * Keeps what the identity provider said about somebody. Older words never replace newer ones, and nothing is decided
 * on them either: a token stays good for a while after a group was taken away.
 */
export async function rememberPrincipal(db: Kysely<Database>, told: Principal): Promise<Remembered> {
  // Most calls bring nothing new, and reading costs less than a write that changes nothing.
  const known = await findPrincipal(db, told);
  if (known !== undefined && known.seenAtMs >= told.seenAtMs) {
    return { principal: await withTokenFacts(db, newerOf(known, told), told), news: false };
  }
  const facts = {
    user_name: told.userName,
    display_name: told.displayName,
    groups: told.groups.kind === 'listed' ? [...told.groups.names] : null,
    duty: told.duty ?? null,
    attributes: JSON.stringify(told.attributes ?? {}),
    workload: told.workload === undefined ? null : JSON.stringify(told.workload),
    seen_at: toDate(told.seenAtMs),
    token_seen_at: toDate(told.seenAtMs),
  };
  const written = await db
    .insertInto('principal')
    .values({ iss: told.iss, sub: told.sub, ...facts })
    .onConflict((conflict) =>
      conflict
        .columns(['iss', 'sub'])
        .doUpdateSet(facts)
        .where('principal.seen_at', '<', sql<Date>`excluded.seen_at`),
    )
    .returning('sub')
    .executeTakeFirst();
  return written === undefined
    ? { principal: await newestFacts(db, told), news: false }
    : { principal: told, news: true };
}

/**
 * The directory spoke of somebody's groups since the token was made, which says nothing of what only tokens tell. A
 * runner's token says nothing of its own: what it brings was known before, and is as old as it was.
 */
async function withTokenFacts(db: Kysely<Database>, known: Principal, told: Principal): Promise<Principal> {
  const toldAtMs = told.tokenSeenAtMs ?? told.seenAtMs;
  if (toldAtMs <= (known.tokenSeenAtMs ?? known.seenAtMs)) return known;
  await db
    .updateTable('principal')
    .set({
      duty: told.duty ?? null,
      attributes: JSON.stringify(told.attributes ?? {}),
      token_seen_at: toDate(toldAtMs),
    })
    .where('iss', '=', told.iss)
    .where('sub', '=', told.sub)
    .where('token_seen_at', '<', toDate(toldAtMs))
    .execute();
  return { ...known, duty: told.duty, attributes: told.attributes, tokenSeenAtMs: toldAtMs };
}

/** The newest facts about somebody: those that are given, or what was said later. */
export async function newestFacts(db: Kysely<Database>, given: Principal): Promise<Principal> {
  const known = await findPrincipal(db, given);
  return known === undefined ? given : newerOf(known, given);
}

function newerOf(known: Principal, told: Principal): Principal {
  return known.seenAtMs > told.seenAtMs ? known : told;
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
    .where('iss', 'in', [...new Set(keys.map((key) => key.iss))])
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
    attributes: Attributes.parse(row.attributes),
    ...(row.workload !== null && { workload: Workload.parse(row.workload) }),
    seenAtMs: toMs(row.seen_at),
    tokenSeenAtMs: toMs(row.token_seen_at),
  };
}
