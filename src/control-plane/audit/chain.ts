import { type Kysely, sql } from 'kysely';

import { linkHash } from '../../domain/audit-chain.ts';
import { inChange } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';
import { toRecord } from './rows.ts';

const BATCH = 1_000;

/**
 * Gives rows that have none their place in the chain: a sequence number and a hash over the row and the hash before.
 * One chainer at a time holds the head's row; a crash lets go of it. Returns true where there are more.
 */
export async function chainAudit(db: Kysely<Database>): Promise<boolean> {
  return inChange(db, async ({ trx }) => {
    const head = await trx
      .selectFrom('audit_chain')
      .select(['sequence', 'hash'])
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (head === undefined) return false;
    const rows = await trx
      .selectFrom('audit')
      .selectAll()
      .where('sequence', 'is', null)
      .orderBy('at')
      .orderBy('id')
      .limit(BATCH)
      .execute();
    if (rows.length === 0) return false;
    let { sequence, hash } = head;
    const links: { id: string; sequence: number; hash: string }[] = [];
    for (const row of rows) {
      sequence += 1;
      hash = linkHash(hash, sequence, toRecord(row));
      links.push({ id: row.id, sequence, hash });
    }
    await sql`
      update oam.audit set sequence = link.sequence, hash = link.hash
      from jsonb_to_recordset(${JSON.stringify(links)}::jsonb) as link(id uuid, sequence bigint, hash text)
      where audit.id = link.id`.execute(trx);
    await trx.updateTable('audit_chain').set({ sequence, hash }).execute();
    return rows.length === BATCH;
  });
}
