import { type Kysely, type Selectable, sql } from 'kysely';
import * as z from 'zod/mini';

import { canonicalJson, sha256Hex } from '../../domain/canonical.ts';
import { inChange } from '../changes/change.ts';
import type { AuditTable, Database } from '../store/tables.ts';

type Row = Selectable<AuditTable>;

const BATCH = 500;

const StoredJson = z.json();

/**
 * Gives rows that have none their place in the chain: a sequence number and a hash over the row and the hash before.
 * One chainer at a time holds the head's row; a crash lets go of it. Returns how many rows were chained.
 */
export async function chainAudit(db: Kysely<Database>): Promise<number> {
  return inChange(db, async ({ trx }) => {
    const head = await trx
      .selectFrom('audit_chain')
      .select(['sequence', 'hash'])
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (head === undefined) return 0;
    const rows = await trx
      .selectFrom('audit')
      .selectAll()
      .where('sequence', 'is', null)
      .orderBy('at')
      .orderBy('id')
      .limit(BATCH)
      .execute();
    if (rows.length === 0) return 0;
    let { sequence, hash } = head;
    const links: { id: string; sequence: number; hash: string }[] = [];
    for (const row of rows) {
      sequence += 1;
      hash = linkHash(hash, sequence, row);
      links.push({ id: row.id, sequence, hash });
    }
    await sql`
      update oam.audit set sequence = link.sequence, hash = link.hash
      from jsonb_to_recordset(${JSON.stringify(links)}::jsonb) as link(id uuid, sequence bigint, hash text)
      where audit.id = link.id`.execute(trx);
    await trx.updateTable('audit_chain').set({ sequence, hash }).execute();
    return rows.length;
  });
}

/** What a look at the whole chain found. */
export interface ChainReport {
  readonly rows: number;
  /** Rows that no chainer has been at yet; more than a second's worth is worth a question. */
  readonly unchained: number;
  /** The first place where the chain does not hold, and why; undefined where all of it does. */
  readonly broken: { readonly sequence: number; readonly reason: string } | undefined;
}

/** Recomputes the chain from its first row to its head: finds rows that were edited, deleted or put in between. */
export async function verifyChain(db: Kysely<Database>): Promise<ChainReport> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => {
      const head = await trx.selectFrom('audit_chain').select(['sequence', 'hash']).executeTakeFirstOrThrow();
      const { unchained } = await trx
        .selectFrom('audit')
        .select((eb) => eb.fn.countAll<number>().as('unchained'))
        .where('sequence', 'is', null)
        .executeTakeFirstOrThrow();
      let sequence = 0;
      let hash = '';
      const broken = (reason: string): ChainReport => ({
        rows: sequence,
        unchained,
        broken: { sequence: sequence + 1, reason },
      });
      for (;;) {
        const rows = await trx
          .selectFrom('audit')
          .selectAll()
          .where('sequence', '>', sequence)
          .orderBy('sequence')
          .limit(BATCH)
          .execute();
        for (const row of rows) {
          if (row.sequence !== sequence + 1) return broken('a row is missing');
          if (linkHash(hash, sequence + 1, row) !== row.hash) return broken('a row was changed');
          sequence += 1;
          hash = row.hash;
        }
        if (rows.length < BATCH) break;
      }
      if (sequence !== head.sequence || hash !== head.hash) return broken('the end is missing');
      return { rows: sequence, unchained, broken: undefined };
    });
}

function linkHash(previous: string, sequence: number, row: Row): string {
  return sha256Hex(
    canonicalJson({
      previous,
      sequence,
      id: row.id,
      atMs: row.at.getTime(),
      event: row.event,
      actor: StoredJson.parse(row.actor),
      requestId: row.request_id,
      grantId: row.grant_id,
      roleId: row.role_id,
      detail: StoredJson.parse(row.detail),
    }),
  );
}
