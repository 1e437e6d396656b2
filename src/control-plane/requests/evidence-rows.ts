import * as z from 'zod/mini';

import { canonicalJson } from '../../domain/canonical.ts';
import type { Evidence } from '../../domain/evidence.ts';

const COMMON = { callback: z.string(), atMs: z.number(), goodUntilMs: z.number() };

const PARTICULARS = {
  reason: z.optional(z.string()),
  evidenceId: z.optional(z.string()),
  ticketTitle: z.optional(z.string()),
  ticketStatus: z.optional(z.string()),
};

const Row = z.discriminatedUnion('verdict', [
  z.object({ ...COMMON, verdict: z.literal('confirmed'), ...PARTICULARS }),
  z.object({ ...COMMON, verdict: z.literal('refuted'), ...PARTICULARS }),
  z.object({ ...COMMON, verdict: z.literal('unanswered'), reason: z.string() }),
]);

/** Evidence out of its column. */
export function parseEvidence(column: unknown): readonly Evidence[] {
  return z
    .array(Row)
    .parse(column)
    .map((row) =>
      row.verdict === 'unanswered'
        ? row
        : {
            ...row,
            reason: row.reason,
            evidenceId: row.evidenceId,
            ticketTitle: row.ticketTitle,
            ticketStatus: row.ticketStatus,
          },
    );
}

/** Evidence as its column takes it. */
export function evidenceText(evidence: readonly Evidence[]): string {
  return canonicalJson(evidence.map((word) => ({ ...word })));
}
