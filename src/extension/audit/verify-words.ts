import type { Finding } from '../../domain/audit-findings.ts';
import type { AnchorProblem } from '../../protocol/audit-anchors.ts';
import type { Judgement } from '../../protocol/audit-verify.ts';
import type { Reader } from '../reader.ts';
import type { Localise } from '../localise.ts';
import { forMarkdown } from '../plain-text.ts';
import { momentWords } from '../time-words.ts';

/** What anchors and keys a verification went by. */
export interface Grounds {
  /** Anchors that this machine kept from earlier verifications. */
  readonly kept: number;
  /** True where the keys are those of an earlier verification, not what the control plane says today. */
  readonly keysPinned: boolean;
}

/** What a verification came to, in a sentence. */
export function judgementWords(l10n: Localise, judgement: Judgement): string {
  if (!judgement.holds) return l10n.t('THE TRAIL DOES NOT HOLD. {0} rows were read.', judgement.rows);
  return judgement.anchoredTo === 0
    ? l10n.t('The trail holds: {0} rows, and nothing outside of it vouches for them yet.', judgement.rows)
    : l10n.t('The trail holds: {0} rows, vouched for up to row {1}.', judgement.rows, judgement.anchoredTo);
}

/** What a verification came to, as a Markdown document. */
export function judgementDocument(reader: Reader, judgement: Judgement, grounds: Grounds): string {
  const { l10n, locale, nowMs } = reader;
  const behind = judgement.lastSequence - judgement.anchoredTo;
  const lines = [
    ...judgement.findings.map((finding) => findingWords(l10n, finding)),
    ...judgement.anchorProblems.map((problem) => problemWords(l10n, problem)),
    ...(judgement.sameStore ? [] : [l10n.t('The trail says that it is of another store than the anchors.')]),
    ...(judgement.end === 'missing'
      ? [l10n.t('The last line is missing: the export broke off, or its end was cut.')]
      : []),
    ...(judgement.end === 'differs' ? [l10n.t('The last line names another end than the rows have.')] : []),
    judgement.anchors === 0
      ? l10n.t('No anchor vouches for any of it.')
      : l10n.t('Anchors vouch for the rows up to {0}.', judgement.anchoredTo),
    ...(judgement.anchors > 0 && behind > 0
      ? [l10n.t('Rows behind that, which could be cut off unseen: {0}', behind)]
      : []),
    ...(judgement.unchained === 0
      ? []
      : [l10n.t('Rows without a place in the chain yet: {0}', judgement.unchained)]),
  ];
  const ground = [
    grounds.keysPinned
      ? l10n.t('The keys are those that this machine saw first.')
      : l10n.t('The keys are what the control plane says today; they are kept from now on.'),
    grounds.kept === 0
      ? l10n.t(
          'This machine had kept no anchor yet: whoever has the database could have made trail and anchors anew.',
        )
      : l10n.t(
          '{0} anchors were kept on this machine from before, where the control plane cannot reach.',
          grounds.kept,
        ),
    l10n.t('For anchors that are kept elsewhere: oam audit verify --anchors … --keys …'),
  ];
  const list = (texts: readonly string[]): string => texts.map((text) => `- ${forMarkdown(text)}`).join('\n');
  return [
    `# ${forMarkdown(judgementWords(l10n, judgement))}`,
    forMarkdown(l10n.t('Verified {0}', momentWords(locale, nowMs, nowMs))),
    list(lines),
    `## ${forMarkdown(l10n.t('What this goes by'))}`,
    list(ground),
    '',
  ].join('\n\n');
}

function findingWords(l10n: Localise, { kind, from, to }: Finding): string {
  const where = from === to ? l10n.t('Row {0}', from) : l10n.t('Rows {0} to {1}', from, to);
  switch (kind) {
    case 'changed':
      return l10n.t('{0}: changed, or the row before.', where);
    case 'missing':
      return l10n.t('{0}: missing.', where);
    case 'misplaced':
      return l10n.t('{0}: what stands there does not belong there.', where);
    case 'unproven':
      return l10n.t('{0}: nothing vouches for it, as a row beside is missing.', where);
    case 'rewritten':
      return l10n.t('{0}: not what was anchored; something was changed or put there.', where);
    case 'truncated':
      return l10n.t('{0}: cut off at the end; an anchor says that it was there.', where);
    case 'contradicted':
      return l10n.t('{0}: two anchors say different things; the trail was once another.', where);
  }
}

function problemWords(l10n: Localise, { line, kind }: AnchorProblem): string {
  switch (kind) {
    case 'unsigned':
      return l10n.t('Anchor {0}: not signed by one of the keys, or changed.', line);
    case 'another_store':
      return l10n.t('Anchor {0}: of another store; was the trail begun anew?', line);
    case 'unreadable':
      return l10n.t('Anchor {0}: none, and left out.', line);
  }
}
