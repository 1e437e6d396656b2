import type { JsonObject } from './canonical.ts';
import type { EpochMs } from './time.ts';

/** What a callback was asked of a request, and what it said: one for each callback that was asked. */
export type Evidence = {
  /** The callback's name in the configuration. */
  readonly callback: string;
  /** When the callback first said so, for this request. */
  readonly atMs: EpochMs;
  /** Until when the word counts; later, as long as the callback says the same when it is asked again. */
  readonly goodUntilMs: EpochMs;
} & Finding;

/** What a callback found, or that it found nothing in time. */
export type Finding =
  | (Particulars & { readonly verdict: 'confirmed' })
  | (Particulars & { readonly verdict: 'refuted' })
  | {
      /** It did not answer in time, or not so that it could be understood: nothing is verified. */
      readonly verdict: 'unanswered';
      readonly reason: string;
    };

/** What a callback may say besides yes and no, each of one line. */
export interface Particulars {
  readonly reason: string | undefined;
  /** The callback's own name for what it looked at, for those who look into it later. */
  readonly evidenceId: string | undefined;
  readonly ticketTitle: string | undefined;
  readonly ticketStatus: string | undefined;
}

/** The names of the callbacks whose yes counts at a moment: what policy is told. */
export function confirmedBy(evidence: readonly Evidence[], nowMs: EpochMs): readonly string[] {
  return evidence
    .filter(({ verdict, goodUntilMs }) => verdict === 'confirmed' && nowMs < goodUntilMs)
    .map(({ callback }) => callback);
}

/**
 * What an approver's word is bound to of the evidence: all but until when it counts, which moves on while callbacks
 * say the same.
 */
export function evidenceSubstance(evidence: readonly Evidence[]): readonly JsonObject[] {
  return evidence.map(({ goodUntilMs: _, ...substance }) => ({ ...substance }));
}

/**
 * The evidence after callbacks were asked again. Words that say the same as before stay as they are and count for
 * longer. One that did not answer this time has said nothing new: its last word counts as long as it did.
 */
export function renewedEvidence(
  before: readonly Evidence[],
  again: readonly Evidence[],
): readonly Evidence[] {
  return again.map((now) => {
    const earlier = before.find(({ callback }) => callback === now.callback);
    if (earlier === undefined) return now;
    if (now.verdict === 'unanswered') return earlier;
    return saysTheSame(earlier, now) ? { ...earlier, goodUntilMs: now.goodUntilMs } : now;
  });
}

/** A new id for the same finding, or other words for it, is no other finding. */
function saysTheSame(earlier: Evidence, now: Evidence): boolean {
  if (earlier.verdict === 'unanswered' || now.verdict === 'unanswered')
    return earlier.verdict === now.verdict;
  return (
    earlier.verdict === now.verdict &&
    earlier.ticketTitle === now.ticketTitle &&
    earlier.ticketStatus === now.ticketStatus
  );
}

/** True where an approver would see something else than before. */
export function isOtherEvidence(before: readonly Evidence[], after: readonly Evidence[]): boolean {
  return (
    before.length !== after.length ||
    after.some((now) => {
      const earlier = before.find(({ callback }) => callback === now.callback);
      return earlier === undefined || !saysTheSame(earlier, now);
    })
  );
}

/** What a sentence about evidence needs; absent particulars may be null, as they travel. */
export interface EvidenceWords {
  readonly callback: string;
  readonly verdict: Evidence['verdict'];
  readonly reason?: string | null | undefined;
  readonly ticketTitle?: string | null | undefined;
  readonly ticketStatus?: string | null | undefined;
}

/**
 * A sentence about what a callback said.
 *
 * @param subject what was to be confirmed, with its article: `The ticket ML-123`, `The purpose`.
 * @param when the moment, in the reader's form.
 */
export function evidenceSentence(words: EvidenceWords, subject: string, when: string | undefined): string {
  const at = when === undefined ? '' : ` at ${when}`;
  const particulars = [
    ...(words.ticketTitle ? [`“${words.ticketTitle}”`] : []),
    ...(words.ticketStatus ? [`status ${words.ticketStatus}`] : []),
    ...(words.reason ? [words.reason] : []),
  ].join(', ');
  const tail = particulars === '' ? '.' : `: ${particulars}.`;
  switch (words.verdict) {
    case 'confirmed':
      return `${subject} is confirmed by ${words.callback}${at}${tail}`;
    case 'refuted':
      return `${subject} is not confirmed by ${words.callback}${at}${tail}`;
    case 'unanswered':
      return `${subject} could not be confirmed by ${words.callback}${at}${tail}`;
  }
}

/** What callbacks look at: the ticket where there is one. */
export function subjectOf(ticket: string | null | undefined): string {
  return ticket === null || ticket === undefined ? 'The purpose' : `The ticket ${ticket}`;
}
