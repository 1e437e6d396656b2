import * as z from 'zod/mini';

import { didYouMean } from '../configuration/nearest.ts';
import { type FileProblem, FileProblemsError } from '../configuration/problems.ts';
import { lineOf, type Rule } from './rules.ts';
import type { PolicyVersion } from './version.ts';

/**
 * A rule about people speaks only of attributes that the catalogue names: Cedar cannot know them, and a name that is
 * misspelt would be an attribute that nobody has. The tags of workloads are their issuers' affair.
 */
export function unnamedAttributeProblems(
  rules: readonly Rule[],
  attributes: readonly string[],
): FileProblem[] {
  return rules
    .filter(({ actions }) => ![...actions].some((action) => action.startsWith('workload.')))
    .flatMap(({ id, file, offset, json }) => {
      const unknown = tagNames(json.conditions).filter(
        (name) => name === undefined || !attributes.includes(name),
      );
      return [...new Set(unknown)].map((name) => ({
        file: file.path,
        line: lineOf(file.text, offset),
        message:
          name === undefined
            ? `The rule '${id}' computes the name of an attribute. Write it out.`
            : `The rule '${id}' speaks of '${name}', which is not one of the 'attributes' of the catalogue.${didYouMean(name, attributes)}`,
      }));
    });
}

/**
 * Refuses a policy that goes by attributes which no token can bring here.
 *
 * @throws {FileProblemsError} `policy_invalid`.
 */
export function expectClaimed(policy: PolicyVersion, folder: string, claimed: readonly string[]): void {
  const problems = policy.catalogue.attributes
    .filter((name) => !claimed.includes(name))
    .map((name) => ({
      file: `${folder}/catalogue.yaml`,
      line: undefined,
      message: `The attribute '${name}' is in no token: the server's 'identity.claims.attributes' does not say where it stands.${didYouMean(name, claimed)}`,
    }));
  if (problems.length === 0) return;
  throw new FileProblemsError(
    'policy_invalid',
    'The policy goes by attributes that the configuration does not know. Name them in both, and start again.',
    problems,
  );
}

const Tag = z.object({ right: z.unknown() });
const Name = z.object({ Value: z.string() });

/** The names that conditions ask for; undefined for one that is not written out. */
function tagNames(value: unknown): (string | undefined)[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const tag = key === 'hasTag' || key === 'getTag' ? Tag.safeParse(inner).data : undefined;
    return [...(tag === undefined ? [] : [Name.safeParse(tag.right).data?.Value]), ...tagNames(inner)];
  });
}
