import { type Clause, type Expr, type PolicyJson, policyToText } from '@cedar-policy/cedar-wasm/nodejs';

import { type Engine, type EnginePolicy, prepareEngine } from './engine.ts';
import { POLICY_ACTIONS, type PolicyAction, type Question } from './entities.ts';
import { operandsOf } from './expressions.ts';
import type { NearRule } from './facts.ts';
import type { Rule } from './rules.ts';
import { describeCondition } from './words.ts';

/** Says which rule would come nearest to allowing, and what of it does not hold. */
export interface NearestRule {
  /** Undefined where no rule allows such a thing to anybody. */
  find(questions: readonly Question[]): NearRule | undefined;
}

const ALL_ACTIONS: ReadonlySet<PolicyAction> = new Set(POLICY_ACTIONS);

interface Condition {
  /** Its id in the taken-apart set. */
  readonly id: string;
  readonly clause: Clause | undefined;
}

interface Permit {
  readonly rule: Rule;
  readonly conditions: readonly Condition[];
}

/**
 * Takes every permit apart into its single conditions, once, so that after a denial one evaluation tells which of
 * them hold. The rule with the fewest that do not is the nearest.
 */
export function prepareNearestRule(name: string, schema: string, rules: readonly Rule[]): NearestRule {
  // Rules share many conditions; each is evaluated once.
  const pieces = new Map<string, EnginePolicy>();
  const permits: Permit[] = rules
    .filter(({ json }) => json.effect === 'permit')
    .map((rule) => ({
      rule,
      conditions: piecesOf(rule.json).map(({ clause, json }): Condition => {
        const text = textOf(json);
        const piece = pieces.get(text) ?? { id: `condition-${pieces.size}`, text, actions: ALL_ACTIONS };
        pieces.set(text, piece);
        return { id: piece.id, clause };
      }),
    }));
  const engine: Engine = prepareEngine(name, schema, [...pieces.values()]);

  return {
    find(questions) {
      let nearest: { permit: Permit; missing: readonly Condition[]; question: Question } | undefined;
      for (const question of questions) {
        const holding = engine.holding(question);
        for (const permit of permits.filter(({ rule }) => rule.actions.has(question.action))) {
          const missing = permit.conditions.filter(({ id }) => !holding.has(id));
          if (nearest === undefined || missing.length < nearest.missing.length) {
            nearest = { permit, missing, question };
          }
        }
      }
      if (nearest === undefined) return undefined;
      const { permit, missing, question } = nearest;
      const unmet = missing.map(({ clause }) => describeCondition(clause, question));
      return { id: permit.rule.id, unmet };
    },
  };
}

/** The rule's head, where it speaks of certain people or roles, and each condition as a rule of its own. */
function piecesOf(rule: PolicyJson): { clause: Clause | undefined; json: PolicyJson }[] {
  const open: PolicyJson = {
    effect: 'permit',
    principal: { op: 'All' },
    action: { op: 'All' },
    resource: { op: 'All' },
    conditions: [],
    annotations: {},
  };
  const { principal, resource } = rule;
  const head =
    principal.op === 'All' && resource.op === 'All'
      ? []
      : [{ clause: undefined, json: { ...open, principal, resource } }];
  const conditions = rule.conditions
    .flatMap(conjuncts)
    .map((clause) => ({ clause, json: { ...open, conditions: [clause] } }));
  return [...head, ...conditions];
}

/** `when { a && b }` as `when { a }` and `when { b }`; `unless { a || b }` likewise. */
function conjuncts(clause: Clause): Clause[] {
  const operator = clause.kind === 'when' ? '&&' : '||';
  const split = (body: Expr): Expr[] => {
    const operands = operandsOf(body, operator);
    return operands === undefined ? [body] : [...split(operands.left), ...split(operands.right)];
  };
  return split(clause.body).map((body) => ({ kind: clause.kind, body }));
}

function textOf(policy: PolicyJson): string {
  const answer = policyToText(policy);
  if (answer.type === 'success') return answer.text;
  throw new TypeError(`Cedar cannot write a rule: ${answer.errors.map(({ message }) => message).join('; ')}`);
}
