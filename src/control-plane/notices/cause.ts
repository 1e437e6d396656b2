import { type Change, toDate } from '../changes/change.ts';
import type { CauseKind } from './kinds.ts';

/** What people are told of, before it is known whom that concerns. */
export interface Cause {
  readonly kind: CauseKind;
  readonly requestId: string;
  readonly grantId: string | undefined;
}

/** Keeps, in the change itself, that people are to be told of it: nothing that was committed can be forgotten. */
export async function giveCauses(change: Change, causes: readonly Cause[]): Promise<void> {
  if (causes.length === 0) return;
  await change.trx
    .insertInto('notice_cause')
    .values(
      causes.map(({ kind, requestId, grantId }) => ({
        kind,
        request_id: requestId,
        grant_id: grantId ?? null,
        at: toDate(change.nowMs),
        next_attempt_at: toDate(change.nowMs),
      })),
    )
    .execute();
}
