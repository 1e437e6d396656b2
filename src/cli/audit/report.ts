import type { Finding } from '../../domain/audit-findings.ts';
import type { AnchorProblem } from '../../protocol/audit-anchors.ts';
import type { Judgement } from '../../protocol/audit-verify.ts';

/** The judgement for a person, the worst first. */
export function describeReport(judgement: Judgement): string[] {
  const { holds, rows, lastSequence, unchained, anchoredTo, anchors, findings, anchorProblems, end } =
    judgement;
  const behind = lastSequence - anchoredTo;
  return [
    holds
      ? `The trail holds: ${count(rows, 'row')}.`
      : `THE TRAIL DOES NOT HOLD. ${count(rows, 'row')} read.`,
    ...findings.map(describeFinding),
    ...describeProblems(anchorProblems),
    ...(judgement.sameStore ? [] : ['The trail says that it is of another store than the anchors.']),
    ...(end === 'missing' ? ['The last line is missing: the export broke off, or its end was cut.'] : []),
    ...(end === 'differs' ? ['The last line names another end than the rows have.'] : []),
    anchors === 0
      ? 'No anchor vouches for any of it.'
      : `Anchors vouch for the rows up to ${anchoredTo}${behind === 0 ? ', which is all.' : `; ${count(behind, 'row')} behind that could be cut off unseen.`}`,
    ...(unchained === 0 ? [] : [`${count(unchained, 'row')} without a place in the chain yet.`]),
  ];
}

function describeFinding({ kind, from, to }: Finding): string {
  const where = from === to ? `Row ${from}` : `Rows ${from} to ${to}`;
  const one = from === to;
  switch (kind) {
    case 'changed':
      return `${where}: changed, or the row before.`;
    case 'missing':
      return `${where}: missing.`;
    case 'misplaced':
      return `${where}: what stands there does not belong there.`;
    case 'unproven':
      return `${where}: nothing vouches for ${one ? 'it' : 'them'}, as a row beside is missing.`;
    case 'rewritten':
      return `${where}: not what was anchored; at least one of them was changed or put there.`;
    case 'truncated':
      return `${where}: cut off at the end; an anchor says that ${one ? 'it was' : 'they were'} there.`;
    case 'contradicted':
      return `${where}: two anchors say different things; the trail was once another.`;
  }
}

const PROBLEMS: Readonly<Record<AnchorProblem['kind'], string>> = {
  unsigned: 'not signed by one of the keys, or changed',
  another_store: 'of another store; was the trail begun anew? (--store says which one counts)',
  unreadable: 'no anchors, and left out',
};

/** So many lines are named; of the others only the number is told. */
const NAMED_LINES = 10;

function describeProblems(problems: readonly AnchorProblem[]): string[] {
  return Object.entries(PROBLEMS).flatMap(([kind, words]) => {
    const lines = problems.filter((problem) => problem.kind === kind).map(({ line }) => line);
    if (lines.length === 0) return [];
    const more = lines.length > NAMED_LINES ? ' …' : '';
    const named = lines.slice(0, NAMED_LINES).join(', ');
    return [`${count(lines.length, 'line')} of the anchors (${named}${more}): ${words}.`];
  });
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
