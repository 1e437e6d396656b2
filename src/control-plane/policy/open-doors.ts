import type { Clause, Expr } from '@cedar-policy/cedar-wasm/nodejs';

import type { FileProblem } from '../configuration/problems.ts';
import { attributeOf, operandsOf } from './expressions.ts';
import { lineOf, type Rule } from './rules.ts';

const WORKLOAD_ACTIONS = ['workload.at_once', 'workload.with_approval'] as const;

/**
 * A rule that lets workloads in says whose they are: by their issuer, and by something that their token says. Else it
 * would let in whatever the issuer signs, and some issuers sign for everybody.
 */
export function openDoorProblems(rules: readonly Rule[]): FileProblem[] {
  const workloads = rules.filter(letsInAnybody).map(({ id, file, offset }) => ({
    file: file.path,
    line: lineOf(file.text, offset),
    message: `The rule '${id}' lets in workloads without saying which. Compare principal.issuer, and principal.subject or a claim by principal.getTag("…").`,
  }));
  const emergencies = rules.filter(breaksGlassForAnybody).map(({ id, file, offset }) => ({
    file: file.path,
    line: lineOf(file.text, offset),
    message: `The rule '${id}' lets anybody break the glass, at once and unasked. Say who may: compare principal.duty, principal.teams or principal.groups.`,
  }));
  return [...workloads, ...emergencies];
}

/** Nobody decides on an emergency but the rule: one that says nothing of the person is for everybody who has a role's team. */
function breaksGlassForAnybody({ json, actions }: Rule): boolean {
  if (json.effect !== 'permit' || !actions.has('request.break_glass') || json.principal.op !== 'All')
    return false;
  return !JSON.stringify(json.conditions).includes('{"Var":"principal"}');
}

function letsInAnybody({ json, actions }: Rule): boolean {
  if (json.effect !== 'permit' || !WORKLOAD_ACTIONS.some((name) => actions.has(name))) return false;
  const demands = json.conditions.flatMap(conjuncts);
  return !demands.some(namesIssuer) || !demands.some(namesWorkload);
}

/** What must hold: each part of `when { a && b }`. */
function conjuncts(clause: Clause): Expr[] {
  const split = (body: Expr): Expr[] => {
    const operands = operandsOf(body, '&&');
    return operands === undefined ? [body] : [...split(operands.left), ...split(operands.right)];
  };
  return clause.kind === 'when' ? split(clause.body) : [];
}

function namesIssuer(demand: Expr): boolean {
  const sides = operandsOf(demand, '==');
  return sides !== undefined && [sides.left, sides.right].some((side) => isAttribute(side, 'issuer'));
}

/** Equality, a pattern, or one of a list; a claim that is merely there says nothing of whose it is. */
function namesWorkload(demand: Expr): boolean {
  return ['==', 'like', 'contains'].some((operator) => {
    const compared: unknown = Object.entries(demand).find(([name]) => name === operator)?.[1];
    const text = JSON.stringify(compared ?? null);
    return text.includes('"getTag"') || text.includes('"attr":"subject"');
  });
}

function isAttribute(expression: Expr, name: string): boolean {
  const attribute = attributeOf(expression, '.');
  return attribute?.variable === 'principal' && attribute.name === name;
}
