import {
  type DetailedError,
  type PolicyJson,
  policySetTextToParts,
  policyToJson,
} from '@cedar-policy/cedar-wasm/nodejs';

import type { FileProblem } from '../configuration/problems.ts';
import { POLICY_ACTIONS, type PolicyAction } from './entities.ts';

/** One policy of a `.cedar` file, with the words that it gives as its reason. */
export interface Rule {
  /** Its `@id`, unique in the folder. */
  readonly id: string;
  /** Its `@because`: a sentence that the person who is allowed or refused by it will read. */
  readonly because: string;
  readonly text: string;
  readonly json: PolicyJson;
  /** The actions that its head covers. */
  readonly actions: ReadonlySet<PolicyAction>;
  readonly file: TextFile;
  /** Where it begins in the file, in characters. */
  readonly offset: number;
}

/** A text file by its path. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** Reads the rules of the files. Every rule must say which it is and why it is there. */
export function readRules(files: readonly TextFile[]): { rules: Rule[]; problems: FileProblem[] } {
  const rules: Rule[] = [];
  const problems: FileProblem[] = [];
  for (const { path, text } of files) {
    const parts = policySetTextToParts(text);
    if (parts.type === 'failure') {
      problems.push(...parts.errors.map((error) => cedarProblem({ path, text }, 0, error)));
      continue;
    }
    const complain = (offset: number, message: string): void => {
      problems.push({ file: path, line: lineOf(text, offset), message });
    };
    for (const template of parts.policy_templates) {
      complain(text.indexOf(template), 'Templates are not used here: write the principal or resource out.');
    }
    for (const part of parts.policies) {
      const offset = text.indexOf(part);
      const read = policyToJson(part);
      if (read.type === 'failure') {
        problems.push(...read.errors.map((error) => cedarProblem({ path, text }, offset, error)));
        continue;
      }
      const { id, because } = read.json.annotations ?? {};
      if (id === undefined || !/^[a-z0-9][a-z0-9-]*$/.test(id)) {
        complain(offset, 'The rule needs @id("…") of lower-case letters, digits and hyphens.');
      } else if (because === undefined || because.trim() === '') {
        complain(offset, `The rule '${id}' needs @because("…"): the sentence that people read.`);
      } else if (rules.some((rule) => rule.id === id)) {
        complain(offset, `There is another rule '${id}'. Give each rule an @id of its own.`);
      } else {
        rules.push({
          id,
          because: because.trim(),
          text: part,
          json: read.json,
          actions: actionsOf(read.json),
          file: { path, text },
          offset,
        });
      }
    }
  }
  return { rules, problems };
}

/** The groups `request` and `workload` stand for both ways of asking. */
function actionsOf({ action }: PolicyJson): ReadonlySet<PolicyAction> {
  if (action.op === 'All') return new Set(POLICY_ACTIONS);
  const references = 'entities' in action ? action.entities : 'entity' in action ? [action.entity] : [];
  const ids = references.map((entry) => ('__entity' in entry ? entry.__entity.id : entry.id));
  return new Set(
    POLICY_ACTIONS.filter((name) => ids.includes(name) || ids.includes(name.split('.')[0] ?? '')),
  );
}

/** A complaint of Cedar's as a problem of the file, with its help ("did you mean …"). */
export function cedarProblem(file: TextFile, offset: number, error: DetailedError): FileProblem {
  const [place] = error.sourceLocations ?? [];
  const message = [error.message, error.help, place?.label].filter(Boolean).join('; ');
  return {
    file: file.path,
    line: place === undefined ? undefined : lineOf(file.text, offset + place.start),
    message,
  };
}

/** The line, from 1, of a place that is counted in characters. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, Math.max(0, offset)).split('\n').length;
}
