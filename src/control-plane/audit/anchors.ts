import { CompactSign } from 'jose';
import { type Kysely, sql } from 'kysely';

import type { AnchorLine, AuditKeys } from '../../protocol/audit.ts';
import { ANCHOR_ALGORITHM, ANCHOR_TYPE, anchorPayload } from '../../protocol/audit-anchors.ts';
import { inChange, toDate } from '../changes/change.ts';
import { parsePublicJwk, type SigningKey } from '../issuer/signing-key.ts';
import type { Database } from '../store/tables.ts';

/**
 * Signs where the chain is now, where it has moved since the last time. What is signed is in the store until every
 * sink has it. Replicas that do it at once make one anchor, or two that say the same.
 *
 * @returns true where an anchor was made.
 */
export async function anchorChain(db: Kysely<Database>, key: SigningKey): Promise<boolean> {
  return inChange(db, async ({ trx, nowMs }) => {
    const head = await trx
      .selectFrom('audit_chain')
      .select(['sequence', 'hash'])
      .where('sequence', '>', (eb) =>
        eb.selectFrom('audit_anchor').select(sql<number>`coalesce(max(sequence), 0)`.as('last')),
      )
      .executeTakeFirst();
    if (head === undefined) return false;
    const { epoch } = await trx.selectFrom('store').select('epoch').executeTakeFirstOrThrow();
    const at = toDate(nowMs);
    const anchor = await sign({ ...head, epoch, at: at.toISOString() }, key);
    const { numInsertedOrUpdatedRows } = await trx
      .insertInto('audit_anchor')
      .values({ ...anchor, at })
      .onConflict((conflict) => conflict.column('sequence').doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n;
  });
}

async function sign(
  word: Pick<AnchorLine, 'sequence' | 'hash' | 'at' | 'epoch'>,
  { kid, privateKey }: SigningKey,
): Promise<AnchorLine> {
  const jws = await new CompactSign(new TextEncoder().encode(anchorPayload(word)))
    .setProtectedHeader({ alg: ANCHOR_ALGORITHM, typ: ANCHOR_TYPE, kid })
    .sign(privateKey);
  return { ...word, kid, jws };
}

/** The public keys of anchors: all that there ever were, as anchors are checked long after they were signed. */
export async function auditKeys(db: Kysely<Database>): Promise<AuditKeys> {
  const rows = await db
    .selectFrom('signing_key')
    .select(['kid', 'public_jwk'])
    .where('purpose', '=', 'audit-anchors')
    .orderBy('created_at')
    .execute();
  return {
    keys: rows.map(({ kid, public_jwk }) => ({
      ...parsePublicJwk(public_jwk),
      ...{ kid, alg: ANCHOR_ALGORITHM, use: 'sig' },
    })),
  };
}
