import { basename } from 'node:path';

import { lineOf, type Rule } from '../../control-plane/policy/rules.ts';

/** Where a rule stands, as `file:line`. */
export function placeOf({ file, text, offset }: Rule): string {
  // Its annotations come first; people look for the line that begins it.
  const begin = offset + (text.length - text.trimStart().length);
  return `${basename(file.path)}:${lineOf(file.text, begin)}`;
}

/** A rule as people are shown it: which, where, and its words. */
export function ruleLines(rules: readonly Rule[], id: string): string[] {
  const rule = rules.find((candidate) => candidate.id === id);
  return rule === undefined ? [`  ${id}`] : [`  ${id} (${placeOf(rule)})`, `    ${rule.because}`];
}
