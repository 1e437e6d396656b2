import assert from 'node:assert/strict';

import type { Kysely } from 'kysely';

import { chainAudit } from '../../../../src/control-plane/audit/chain.ts';
import { auditLines } from '../../../../src/control-plane/audit/export.ts';
import type { Database } from '../../../../src/control-plane/store/tables.ts';
import type { ChainAnchor } from '../../../../src/domain/audit-findings.ts';
import { type TrailReport, verifyTrail } from '../../../../src/protocol/audit-verify.ts';

/** Verifies what the store holds, by the way that an auditor has. */
export async function verifyStore(
  db: Kysely<Database>,
  anchors: readonly ChainAnchor[] = [],
): Promise<TrailReport> {
  const lines: string[] = [];
  for await (const line of auditLines(db, 0)) lines.push(JSON.stringify(line));
  return verifyTrail(lines, anchors);
}

/** Chains all that there is. */
export async function chainAll(db: Kysely<Database>): Promise<void> {
  do {
    await chainAudit(db);
    // The control plane's own chainer may be at it, and then there is nothing to do here.
  } while ((await unchained(db)) > 0);
}

async function unchained(db: Kysely<Database>): Promise<number> {
  const { count } = await db
    .selectFrom('audit')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('sequence', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Fails unless the trail holds and is whole. */
export async function assertTrailHolds(db: Kysely<Database>): Promise<void> {
  const { chain, end } = await verifyStore(db);
  assert.deepEqual(chain.findings, []);
  assert.equal(end, 'said');
}
