import type { Clause, Expr } from '@cedar-policy/cedar-wasm/nodejs';
import * as z from 'zod/mini';

import type { FileProblem } from '../configuration/problems.ts';
import { POLICY_ACTIONS, type PolicyAction } from './entities.ts';
import { attributeOf, operandsOf, tagOf } from './expressions.ts';
import { lineOf, type Rule } from './rules.ts';

const WORKLOAD_ACTIONS: readonly PolicyAction[] = ['workload.at_once', 'workload.with_approval'];

/** What nobody but a rule decides on, and what opening it to anybody would be. */
const FOR_SOMEBODY = {
  'request.break_glass': 'lets anybody break the glass, at once and unasked',
  read_audit: 'lets anybody read the whole trail',
  rotate_keys: 'lets anybody change the keys that OAM signs with',
  revoke: "lets anybody end everybody's access",
} as const satisfies Partial<Record<PolicyAction, string>>;

/**
 * A rule that lets workloads in says whose they are: by their issuer, and by something that their token says. Else it
 * would let in whatever the issuer signs, and some issuers sign for everybody. And one that lets people do what nobody
 * but the rule decides on says which people.
 *
 * What counts is what must be so for the rule to apply: a comparison with something else than the same person's own
 * facts, in every branch of an "or", and not in a negation.
 */
export function openDoorProblems(rules: readonly Rule[]): FileProblem[] {
  return rules.filter(({ json }) => json.effect === 'permit').flatMap(problemsOf);
}

function problemsOf(rule: Rule): FileProblem[] {
  const { id, file, offset, actions, json } = rule;
  const demands = json.conditions.flatMap(demandOf);
  const demanded = (isIt: (leaf: Expr) => boolean): boolean => demands.some((body) => holds(body, isIt));
  const problem = (message: string): FileProblem => ({
    file: file.path,
    line: lineOf(file.text, offset),
    message: `The rule '${id}' ${message}`,
  });
  const problems: FileProblem[] = [];
  if (WORKLOAD_ACTIONS.some((name) => actions.has(name))) {
    if (!demanded(namesIssuer) || !demanded(namesWorkload)) {
      problems.push(
        problem(
          'lets in workloads without saying which. Compare principal.issuer, and principal.subject or a claim by principal.getTag("…").',
        ),
      );
    }
  }
  // A head that names the principal says who.
  if (json.principal.op !== 'All') return problems;
  const open = POLICY_ACTIONS.filter((name) => name in FOR_SOMEBODY && actions.has(name));
  if (open.length > 0 && !demanded(namesPerson)) {
    const [first] = open;
    problems.push(
      problem(
        `${Object.entries(FOR_SOMEBODY).find(([name]) => name === first)?.[1] ?? ''}. Say who may: compare principal.duty, principal.teams or principal.groups.`,
      ),
    );
  }
  return problems;
}

function demandOf(clause: Clause): Expr[] {
  return clause.kind === 'when' ? [clause.body] : [];
}

/** True where an expression can only be true if a leaf of the kind is. */
function holds(expression: Expr, isIt: (leaf: Expr) => boolean): boolean {
  const both = operandsOf(expression, '&&');
  if (both !== undefined) return holds(both.left, isIt) || holds(both.right, isIt);
  const either = operandsOf(expression, '||');
  if (either !== undefined) return holds(either.left, isIt) && holds(either.right, isIt);
  return isIt(expression);
}

function namesIssuer(leaf: Expr): boolean {
  return isCompared(leaf, ['==', 'contains'], (side) => attributeNamed(side) === 'issuer');
}

/** Equality, a pattern, or one of a list; a claim that is merely there says nothing of whose it is. */
function namesWorkload(leaf: Expr): boolean {
  const isWord = (side: Expr): boolean =>
    attributeNamed(side) === 'subject' || tagOf(side, 'getTag') !== undefined;
  return isCompared(leaf, ['==', 'contains'], isWord) || isLike(leaf, isWord);
}

/** Something of the person but their issuer, which is everybody's; that an attribute is there at all says something too. */
function namesPerson(leaf: Expr): boolean {
  const isFact = (side: Expr): boolean => {
    const name = attributeNamed(side);
    return (name !== undefined && name !== 'issuer') || tagOf(side, 'getTag') !== undefined;
  };
  return (
    isCompared(leaf, ['==', 'contains', 'containsAny', 'containsAll'], isFact) ||
    isLike(leaf, isFact) ||
    tagOf(leaf, 'hasTag') !== undefined ||
    isCompared(leaf, ['==', 'in'], (side) => JSON.stringify(side) === PRINCIPAL)
  );
}

const PRINCIPAL = '{"Var":"principal"}';

/** One side is the fact itself, and the other has nothing of the principal: with itself everything compares. */
function isCompared(leaf: Expr, operators: readonly string[], isFact: (side: Expr) => boolean): boolean {
  return operators.some((operator) => {
    const sides = operandsOf(leaf, operator);
    if (sides === undefined) return false;
    const { left, right } = sides;
    return (isFact(left) && !isOfPrincipal(right)) || (isFact(right) && !isOfPrincipal(left));
  });
}

const Like = z.object({
  like: z.object({
    left: z.custom<Expr>((value) => typeof value === 'object'),
    pattern: z.array(z.unknown()),
  }),
});

/** A pattern of nothing but wildcards is none. */
function isLike(leaf: Expr, isFact: (side: Expr) => boolean): boolean {
  const { data } = Like.safeParse(leaf);
  return (
    data !== undefined && isFact(data.like.left) && data.like.pattern.some((part) => part !== 'Wildcard')
  );
}

function isOfPrincipal(side: Expr): boolean {
  return JSON.stringify(side).includes(PRINCIPAL);
}

function attributeNamed(expression: Expr): string | undefined {
  const attribute = attributeOf(expression, '.');
  return attribute?.variable === 'principal' ? attribute.name : undefined;
}
