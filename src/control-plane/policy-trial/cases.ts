import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Role } from '../../domain/role.ts';
import { didYouMean } from '../configuration/nearest.ts';
import { type FileProblem, FileProblemsError } from '../configuration/problems.ts';
import { type CheckedYaml, checkYaml } from '../configuration/yaml.ts';
import type { CompiledPolicy } from '../policy/version.ts';
import { imaginePerson, imagineWorkload } from './ask.ts';
import { CaseFile, type Deed, WISH_KEYS } from './case-file.ts';

/** A case whose names have been looked up. */
export interface Case {
  readonly file: string;
  readonly line: number | undefined;
  readonly written: CaseFile['cases'][number];
  readonly who: Principal;
  /** Undefined where the deed is about none. */
  readonly role: Role | undefined;
  readonly of: Principal | undefined;
  /** The people of the file, by their names there. */
  readonly people: ReadonlyMap<string, Principal>;
}

/** The folder of the cases in a policy folder. */
const FOLDER = 'tests';

/**
 * Reads the cases of a policy folder: `tests/*.yaml`.
 *
 * @throws {FileProblemsError} `policy_tests_invalid` with every problem and its line.
 * @throws {OamError} `policy_tests_missing`.
 */
export async function readCases(policyFolder: string, policy: CompiledPolicy): Promise<Case[]> {
  const folder = join(policyFolder, FOLDER);
  const names = (await namesIn(folder)).filter((name) => name.endsWith('.yaml')).sort();
  if (names.length === 0) {
    throw new OamError(
      'policy_tests_missing',
      'There are no cases to try. Write them into files like tests/duties.yaml, or begin with: oam policy init',
      { detail: folder },
    );
  }
  const problems: FileProblem[] = [];
  const cases: Case[] = [];
  for (const name of names) {
    const file = join(folder, name);
    const checked = checkYaml(file, await readFile(file, 'utf8'), CaseFile);
    problems.push(...checked.problems);
    if (checked.value === undefined) continue;
    const found = casesOf(checked.value, checked, policy);
    problems.push(...found.problems);
    cases.push(...found.cases);
  }
  if (problems.length === 0) return cases;
  throw new FileProblemsError(
    'policy_tests_invalid',
    'The cases cannot be tried. Mend what is named here.',
    problems,
  );
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new OamError('policy_tests_missing', 'The folder of the cases cannot be read.', {
      detail: folder,
      cause: error,
    });
  }
}

/** Deeds about a role, and those about somebody else's role. */
const ABOUT_A_ROLE: readonly Deed[] = ['request', 'approve', 'revoke'];
const ABOUT_ANOTHER: readonly Deed[] = ['approve', 'delegate', 'revoke'];

function casesOf(
  { people, workloads, cases }: CaseFile,
  { problemAt }: CheckedYaml<CaseFile>,
  { catalogue, rules }: CompiledPolicy,
): { cases: Case[]; problems: FileProblem[] } {
  const problems: FileProblem[] = [];
  const persons = new Map(Object.entries(people).map(([name, facts]) => [name, imaginePerson(name, facts)]));
  const everybody = new Map([
    ...persons,
    ...Object.entries(workloads).map(([name, facts]) => [name, imagineWorkload(facts)] as const),
  ]);
  for (const [name, { attributes }] of Object.entries(people)) {
    for (const attribute of Object.keys(attributes).filter((key) => !catalogue.attributes.includes(key))) {
      const meant = didYouMean(attribute, catalogue.attributes);
      problems.push(
        problemAt(
          ['people', name, 'attributes'],
          `'${attribute}' is not one of the 'attributes' of the catalogue.${meant}`,
        ),
      );
    }
  }
  const found = cases.flatMap((written, index): Case[] => {
    const complain = (key: string, message: string): void => {
      problems.push(problemAt(['cases', index, key], `Case '${written.name}': ${message}`));
    };
    const before = problems.length;
    const lookUp = <T>(key: string, name: string, among: ReadonlyMap<string, T>, what: string) => {
      const one = among.get(name);
      if (one === undefined)
        complain(key, `there is no ${what} '${name}'.${didYouMean(name, [...among.keys()])}`);
      return one;
    };
    const byId = new Map(catalogue.roles.map((role) => [role.id, role]));
    const { does } = written;
    const who = lookUp('who', written.who, does === 'request' ? everybody : persons, 'person');
    const role = written.role === undefined ? undefined : lookUp('role', written.role, byId, 'role');
    const others = does === 'delegate' ? persons : everybody;
    const of = written.of === undefined ? undefined : lookUp('of', written.of, others, 'person');
    if (does !== 'delegate' && (written.role !== undefined) !== ABOUT_A_ROLE.includes(does)) {
      complain(
        'role',
        ABOUT_A_ROLE.includes(does) ? `'${does}' needs a 'role'.` : `'${does}' takes no 'role'.`,
      );
    }
    if ((written.of !== undefined) !== ABOUT_ANOTHER.includes(does)) {
      complain('of', ABOUT_ANOTHER.includes(does) ? `'${does}' needs an 'of'.` : `'${does}' takes no 'of'.`);
    }
    for (const key of WISH_KEYS.filter((one) => written[one] !== undefined && does !== 'request')) {
      if (key !== 'minutes' || does !== 'approve') complain(key, `'${does}' takes no '${key}'.`);
    }
    const possible: readonly string[] =
      does === 'request' ? ['at_once', 'with_approval', 'refused'] : ['allowed', 'refused'];
    if (!possible.includes(written.expect)) {
      complain('expect', `of '${does}' expect ${possible.join(', or ')}.`);
    }
    if (written.approvers !== undefined && written.expect !== 'with_approval') {
      complain('approvers', "there are 'approvers' only where 'with_approval' is expected.");
    }
    for (const name of written.approvers ?? []) lookUp('approvers', name, persons, 'person');
    const ruleIds = new Map(rules.map((rule) => [rule.id, rule]));
    for (const id of written.rules ?? []) lookUp('rules', id, ruleIds, 'rule');
    if (problems.length > before || who === undefined) return [];
    const { file, line } = problemAt(['cases', index], '');
    return [{ file, line, written, who, role, of, people: persons }];
  });
  return { cases: found, problems };
}
