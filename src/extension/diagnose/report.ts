import type { Redactor } from '../../domain/redaction.ts';
import type { Localise } from '../localise.ts';
import type { Finding, Outcome } from './finding.ts';

const MARKS: Readonly<Record<Outcome, string>> = { ok: '✓', warning: '!', failed: '✗', skipped: '–' };

/** A report to read, and to paste into a ticket: nothing secret is in it. */
export function reportOf(
  { l10n, redactor }: { readonly l10n: Localise; readonly redactor: Redactor },
  about: readonly string[],
  findings: readonly Finding[],
): string {
  const bad = findings.filter(({ outcome }) => outcome === 'failed' || outcome === 'warning').length;
  const summary =
    bad === 0
      ? l10n.t('Everything that was looked at is in order.')
      : l10n.t('What to look at: {0}. Each line that begins with ✗ or ! says what to do.', bad);
  const lines = [
    'Databricks ML OAM',
    ...about.map((line) => `  ${line}`),
    '',
    summary,
    '',
    ...findings.flatMap(({ what, outcome, words, facts }) => [
      `${MARKS[outcome]} ${what}: ${words}`,
      ...facts.filter((fact) => fact !== '').map((fact) => `    ${fact}`),
    ]),
    '',
  ];
  return redactor.redact(lines.join('\n'));
}
