import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';

import { checkParseSchema, validate } from '@cedar-policy/cedar-wasm/nodejs';

import { type Catalogue, type Environment, readCatalogue } from '../catalogue/catalogue.ts';
import { type CatalogueTerms, DEFAULT_TERMS } from '../catalogue/terms.ts';
import { type FileProblem, FileProblemsError } from '../configuration/problems.ts';
import { unnamedAttributeProblems } from './attributes.ts';
import { decider } from './decide.ts';
import { probeQuestions } from './dry-run.ts';
import { prepareEngine } from './engine.ts';
import type { PolicyAction } from './entities.ts';
import { CATALOGUE_FILE, filesOf, type PolicyFolder, readPolicyFolder, SCHEMA_FILE } from './folder.ts';
import { openDoorProblems } from './open-doors.ts';
import { prepareNearestRule } from './nearest-rule.ts';
import { cedarProblem, lineOf, readRules, type Rule, type TextFile } from './rules.ts';
import type { CompiledPolicy } from './version.ts';

/** Trial questions between two moments in which others are served. */
const QUESTIONS_IN_A_ROW = 50;

/**
 * Reads a policy folder (`catalogue.yaml`, `schema.cedarschema`, `*.cedar`), checks it strictly, and makes an
 * immutable version of it. Nothing that fails a check is ever used.
 *
 * @throws {FileProblemsError} `catalogue_invalid`, `policy_invalid`, with every problem and its line.
 * @throws {OamError} `policy_folder_missing`.
 */
export async function loadPolicy(
  folder: string,
  environment: Environment = process.env,
  terms: CatalogueTerms = DEFAULT_TERMS,
): Promise<CompiledPolicy> {
  return compilePolicy(await readPolicyFolder(folder), environment, terms);
}

/**
 * Makes a version of what was read.
 *
 * @throws {FileProblemsError} as {@link loadPolicy}.
 */
export async function compilePolicy(
  folder: PolicyFolder,
  environment: Environment,
  terms: CatalogueTerms = DEFAULT_TERMS,
): Promise<CompiledPolicy> {
  const catalogue = readCatalogue(
    join(folder.path, CATALOGUE_FILE),
    folder.texts.get(CATALOGUE_FILE),
    environment,
    terms,
  );
  const schema = readSchema(folder);
  const { rules, problems } = readRules(filesOf(folder, '.cedar'));
  problems.push(...folder.unreadable.map((name) => unreadable(join(folder.path, name))));
  if (problems.length === 0) {
    problems.push(
      ...validationProblems(schema, rules),
      ...openDoorProblems(rules),
      ...unnamedAttributeProblems(rules, catalogue.attributes),
    );
  }
  if (rules.length === 0 && problems.length === 0) {
    problems.push({
      file: folder.path,
      line: undefined,
      message: 'There is no .cedar file with a rule in it.',
    });
  }
  if (problems.length > 0) throw invalid(problems);

  const hash = hashOf(catalogue, schema.text, rules);
  const engine = prepareEngine(hash, schema.text, rules);
  let asked = 0;
  for (const question of probeQuestions(catalogue)) {
    if (++asked % QUESTIONS_IN_A_ROW === 0) await breathe();
    const answer = engine.ask(question);
    if (answer.kind === 'failed') {
      throw invalid([
        { file: schema.path, line: undefined, message: misfit(question.action, answer.reasons) },
      ]);
    }
  }
  const nearestRule = prepareNearestRule(`${hash}/conditions`, schema.text, rules);
  return decider({ hash, catalogue, rules, engine, nearestRule });
}

function unreadable(file: string): FileProblem {
  return { file, line: undefined, message: 'The file is missing or cannot be read.' };
}

function invalid(problems: readonly FileProblem[]): FileProblemsError {
  return new FileProblemsError(
    'policy_invalid',
    'The policy cannot be used. Mend what is named here, and check it with: oam policy check',
    problems,
  );
}

function misfit(action: PolicyAction, reasons: readonly string[]): string {
  return `A trial question to '${action}' could not be answered (${reasons.join('; ')}). Either the schema does not describe the facts that OAM gives, or a rule fails.`;
}

function readSchema({ path: folder, texts }: PolicyFolder): TextFile {
  const path = join(folder, SCHEMA_FILE);
  const text = texts.get(SCHEMA_FILE);
  if (text === undefined) {
    throw invalid([unreadable(path)]);
  }
  const answer = checkParseSchema(text);
  if (answer.type === 'failure') {
    throw invalid(answer.errors.map((error) => cedarProblem({ path, text }, 0, error)));
  }
  return { path, text };
}

/** Strict validation. A rule that can never apply is refused as well: somebody believes that it does. */
function validationProblems(schema: TextFile, rules: readonly Rule[]): FileProblem[] {
  const answer = validate({
    schema: schema.text,
    policies: { staticPolicies: Object.fromEntries(rules.map(({ id, text }) => [id, text])) },
    validationSettings: { mode: 'strict' },
  });
  if (answer.type === 'failure') {
    return answer.errors.map((error) => cedarProblem(schema, 0, error));
  }
  const findings = answer.validationErrors.length > 0 ? answer.validationErrors : answer.validationWarnings;
  return findings.map(({ policyId, error }) => {
    const rule = rules.find(({ id }) => id === policyId);
    if (rule === undefined) return cedarProblem(schema, 0, error);
    const [place] = error.sourceLocations ?? [];
    return {
      file: rule.file.path,
      line: lineOf(rule.file.text, rule.offset + (place?.start ?? 0)),
      message: [error.message, error.help].filter(Boolean).join('; '),
    };
  });
}

/** Over everything that decides. The order of files, rules and keys does not matter. */
function hashOf(catalogue: Catalogue, schema: string, rules: readonly Rule[]): string {
  const content = {
    catalogue,
    schema,
    rules: rules.map(({ id, text }) => [id, text]).sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  };
  return createHash('sha256').update(canonical(content)).digest('hex');
}

/** JSON with sorted keys, and without what is undefined. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
