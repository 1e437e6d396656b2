import {
  type CheckParseAnswer,
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';

import { POLICY_ACTIONS, type PolicyAction, type Question } from './entities.ts';

/** What the rules say to one question. */
export type Answer =
  | {
      readonly kind: 'allowed' | 'denied';
      /** The ids of the rules that decided. */ readonly by: readonly string[];
    }
  | {
      /** Cedar leaves out a rule that fails, also one that forbids: so nothing may be read from the rest. */
      readonly kind: 'failed';
      readonly reasons: readonly string[];
    };

/** A set of rules that Cedar keeps ready. */
export interface Engine {
  ask(question: Question): Answer;
  /** The ids of the permits whose conditions hold; those that fail count as not holding. */
  holding(question: Question): ReadonlySet<string>;
}

/** A rule as the engine takes it. */
export interface EnginePolicy {
  readonly id: string;
  readonly text: string;
  /** The actions that its head covers. */
  readonly actions: ReadonlySet<PolicyAction>;
}

/**
 * Makes Cedar keep a schema and, for each action, the rules whose head covers it: the others could have no say, and
 * Cedar would look at each of them. The same name always stands for the same content: callers name by hash.
 *
 * @throws {TypeError} when Cedar cannot read them; callers validate first.
 */
export function prepareEngine(name: string, schema: string, policies: readonly EnginePolicy[]): Engine {
  demandSuccess(preparseSchema(name, schema));
  for (const action of POLICY_ACTIONS) {
    const staticPolicies = Object.fromEntries(
      policies.filter(({ actions }) => actions.has(action)).map(({ id, text }) => [id, text]),
    );
    demandSuccess(preparsePolicySet(`${name}/${action}`, { staticPolicies }));
  }

  const evaluate = ({ action, ...question }: Question) =>
    statefulIsAuthorized({
      ...question,
      action: { type: 'Action', id: action },
      preparsedSchemaName: name,
      preparsedPolicySetId: `${name}/${action}`,
      validateRequest: true,
    });

  return {
    ask(question) {
      const answer = evaluate(question);
      if (answer.type === 'failure') {
        return { kind: 'failed', reasons: answer.errors.map((error) => error.message) };
      }
      const { decision, diagnostics } = answer.response;
      if (diagnostics.errors.length > 0) {
        return {
          kind: 'failed',
          reasons: diagnostics.errors.map(({ policyId, error }) => `rule '${policyId}': ${error.message}`),
        };
      }
      return { kind: decision === 'allow' ? 'allowed' : 'denied', by: diagnostics.reason };
    },
    holding(question) {
      const answer = evaluate(question);
      return new Set(answer.type === 'failure' ? [] : answer.response.diagnostics.reason);
    },
  };
}

function demandSuccess(answer: CheckParseAnswer): void {
  if (answer.type === 'success') return;
  throw new TypeError(
    `Cedar cannot read the policy: ${answer.errors.map(({ message }) => message).join('; ')}`,
  );
}
