import * as z from 'zod/mini';

import type { Finding, Particulars } from '../../domain/evidence.ts';

/** The agreed form. Anything else in an answer, and it is not understood: nobody knows what it was meant to say. */
const Answer = z.strictObject({
  verified: z.boolean(),
  reason: z.optional(z.string()),
  evidenceId: z.optional(z.string()),
  ticket: z.optional(z.strictObject({ title: z.optional(z.string()), status: z.optional(z.string()) })),
});

/** What is kept of each text, in characters: enough to read, not enough to bury something under. */
const MOST_CHARACTERS = 200;

/** A callback's answer as a finding. */
export function findingOf(text: string): Finding {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { verdict: 'unanswered', reason: 'its answer is not JSON' };
  }
  const answer = Answer.safeParse(json).data;
  if (answer === undefined) return { verdict: 'unanswered', reason: 'its answer is not of the agreed form' };
  const particulars: Particulars = {
    reason: oneLine(answer.reason),
    evidenceId: oneLine(answer.evidenceId),
    ticketTitle: oneLine(answer.ticket?.title),
    ticketStatus: oneLine(answer.ticket?.status),
  };
  return { verdict: answer.verified ? 'confirmed' : 'refuted', ...particulars };
}

/**
 * Whoever writes a ticket's title writes what approvers read: it stays on its line, turns no text around, and is no
 * longer than can be read.
 */
function oneLine(text: string | undefined): string | undefined {
  const line = text
    ?.toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  if (line === undefined || line === '') return undefined;
  const characters = [...line];
  return characters.length <= MOST_CHARACTERS
    ? line
    : `${characters.slice(0, MOST_CHARACTERS - 1).join('')}…`;
}
