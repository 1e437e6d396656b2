import type { EvidenceView, RequestView } from '../../protocol/schemas.ts';
import type { Reader } from '../reader.ts';
import { momentWords } from '../time-words.ts';

/** What a callback said of a request, in a sentence. */
export function evidenceWords(
  { l10n, locale, nowMs }: Reader,
  { ticket }: Pick<RequestView, 'ticket'>,
  word: EvidenceView,
): string {
  const subject = ticket === null ? l10n.t('The purpose') : l10n.t('The ticket {0}', ticket);
  const when = momentWords(locale, Date.parse(word.at), nowMs);
  const particulars = [
    ...(word.ticketTitle === null ? [] : [`“${word.ticketTitle}”`]),
    ...(word.ticketStatus === null ? [] : [l10n.t('status {0}', word.ticketStatus)]),
    ...(word.reason === null ? [] : [word.reason]),
  ].join(', ');
  const sentence = ((): string => {
    switch (word.verdict) {
      case 'confirmed':
        return l10n.t('{0} was confirmed by {1}, {2}', subject, word.callback, when);
      case 'refuted':
        return l10n.t('{0} was not confirmed by {1}, {2}', subject, word.callback, when);
      case 'unanswered':
        return l10n.t('{0} could not be confirmed by {1}, {2}', subject, word.callback, when);
    }
  })();
  return particulars === '' ? sentence : `${sentence}: ${particulars}`;
}
