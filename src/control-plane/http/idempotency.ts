import { type Kysely, sql } from 'kysely';
import type * as z from 'zod/mini';

import { canonicalJson, type Json, sha256Hex } from '../../domain/canonical.ts';
import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import type { OperationId } from '../../protocol/endpoints.ts';
import { type Change, toDate } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';

/** One POST as its sender means it: who, what, and the key that tells a repetition from a new wish. */
export interface Intent {
  readonly caller: Principal;
  readonly operation: OperationId;
  readonly key: string;
  /** Of the path's parameters and the body. */
  readonly bodyHash: string;
}

/** The hash by which a repetition is told from another wish under the same key. */
export function bodyHash(params: Json, body: Json): string {
  return sha256Hex(canonicalJson([params, body]));
}

/**
 * Does `work` once for each key of a caller, in the change that records it: a repetition waits for the first to
 * commit and is given its answer. A refusal is not kept, so a repetition is judged anew.
 *
 * @throws {OamError} `idempotency_key_reused` where the key came with another wish before.
 */
export async function once<Answer>(
  change: Change,
  intent: Intent,
  answerSchema: z.ZodMiniType<Answer>,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const { caller, operation, key } = intent;
  const first = await change.trx
    .insertInto('idempotency')
    .values({
      iss: caller.iss,
      sub: caller.sub,
      key,
      operation,
      body_hash: intent.bodyHash,
      answer: null,
      created_at: toDate(change.nowMs),
    })
    .onConflict((conflict) => conflict.columns(['iss', 'sub', 'key']).doNothing())
    .returning('key')
    .executeTakeFirst();
  if (first === undefined) return earlierAnswer(change, intent, answerSchema);
  const answer = await work();
  await change.trx
    .updateTable('idempotency')
    .set({ answer: JSON.stringify(answer) })
    .where('iss', '=', caller.iss)
    .where('sub', '=', caller.sub)
    .where('key', '=', key)
    .execute();
  return answer;
}

/** True where the key has done its work, whatever it was: nothing that comes of asking again would be used. */
export async function wasDone(change: Change, { caller, key }: Intent): Promise<boolean> {
  const earlier = await change.trx
    .selectFrom('idempotency')
    .select('key')
    .where('iss', '=', caller.iss)
    .where('sub', '=', caller.sub)
    .where('key', '=', key)
    .executeTakeFirst();
  return earlier !== undefined;
}

async function earlierAnswer<Answer>(
  change: Change,
  { caller, operation, key, bodyHash: hash }: Intent,
  answerSchema: z.ZodMiniType<Answer>,
): Promise<Answer> {
  const earlier = await change.trx
    .selectFrom('idempotency')
    .select(['operation', 'body_hash', 'answer'])
    .where('iss', '=', caller.iss)
    .where('sub', '=', caller.sub)
    .where('key', '=', key)
    .executeTakeFirstOrThrow();
  if (earlier.operation !== operation || earlier.body_hash !== hash) {
    throw new OamError(
      'idempotency_key_reused',
      'This Idempotency-Key was used for something else. Send a new key with a new wish.',
    );
  }
  return answerSchema.parse(earlier.answer);
}

/** How long an answer is kept for a repetition, in hours. */
const KEEP_HOURS = 24;

/** Forgets answers that nobody repeats any more. */
export async function forgetOldAnswers(db: Kysely<Database>): Promise<void> {
  await sql`delete from oam.idempotency where created_at < oam.now() - ${KEEP_HOURS} * interval '1 hour'`.execute(
    db,
  );
}
