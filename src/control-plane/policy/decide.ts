import { describeApprovers, isNamedBy, namesOf } from '../../domain/approvers.ts';
import { samePrincipal } from '../../domain/principal.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Answer, Engine } from './engine.ts';
import {
  approvalQuestion,
  auditReadQuestion,
  breakGlassQuestion,
  delegationQuestion,
  keyRotationQuestion,
  type Question,
  requestQuestion,
  revocationQuestion,
} from './entities.ts';
import type { Ground, RequestDecision, RequestFacts, Verdict } from './facts.ts';
import type { NearestRule } from './nearest-rule.ts';
import type { Rule } from './rules.ts';
import type { CompiledPolicy } from './version.ts';

/** What {@link decider} puts together. */
export interface DeciderParts {
  readonly hash: string;
  readonly catalogue: Catalogue;
  readonly rules: readonly Rule[];
  readonly engine: Engine;
  readonly nearestRule: NearestRule;
}

/** A policy version over a prepared engine. */
export function decider({ hash, catalogue, rules, engine, nearestRule }: DeciderParts): CompiledPolicy {
  const sentences = new Map(rules.map(({ id, because }) => [id, because]));
  const wordsOf = (ids: readonly string[]): string[] => [...ids].sort().map((id) => sentences.get(id) ?? id);

  /** Why not: the rules that forbid, or the one that came nearest to allowing. */
  const whyNot = (
    answers: readonly Answer[],
    questions: readonly Question[],
  ): Ground & { because: readonly string[] } => {
    const failures = answers.flatMap((answer) => (answer.kind === 'failed' ? answer.reasons : []));
    if (failures.length > 0) return { because: failures.map(failureSentence) };
    const forbidding = [
      ...new Set(answers.flatMap((answer) => (answer.kind === 'denied' ? answer.by : []))),
    ].sort();
    if (forbidding.length > 0) return { because: wordsOf(forbidding), by: forbidding };
    const nearest = nearestRule.find(questions);
    if (nearest === undefined) return { because: ['No rule of the policy allows this to anybody.'], by: [] };
    const { id, unmet } = nearest;
    const asks = `The nearest rule is '${id}': ${sentences.get(id) ?? ''} It asks that ${unmet.join(', and that ')}.`;
    return { because: [asks], by: [], nearest };
  };

  const because = ({ by }: { readonly by: readonly string[] }) => ({
    because: wordsOf(by),
    by: [...by].sort(),
  });

  const verdict = (question: Question): Verdict => {
    const answer = engine.ask(question);
    return answer.kind === 'allowed'
      ? { allowed: true, ...because(answer) }
      : { allowed: false, ...whyNot([answer], [question]) };
  };

  const decideBreakGlass = (facts: RequestFacts): RequestDecision => {
    if (facts.principal.workload !== undefined) {
      return { kind: 'refused', because: ['Only people break the glass: somebody has to answer for it.'] };
    }
    const question = breakGlassQuestion(facts);
    const answer = engine.ask(question);
    return answer.kind === 'allowed'
      ? { kind: 'granted_at_once', ...because(answer) }
      : { kind: 'refused', ...whyNot([answer], [question]) };
  };

  return {
    hash,
    catalogue,
    rules,

    decideRequest(facts): RequestDecision {
      if (facts.breakGlass) return decideBreakGlass(facts);
      const atOnce = requestQuestion('at_once', facts);
      const first = engine.ask(atOnce);
      if (first.kind === 'allowed') return { kind: 'granted_at_once', ...because(first) };
      // A rule that failed may have been one that forbids: there is no second try by the other way.
      if (first.kind === 'failed') return { kind: 'refused', ...whyNot([first], [atOnce]) };
      const withApproval = requestQuestion('with_approval', facts);
      const second = engine.ask(withApproval);
      return second.kind === 'allowed'
        ? { kind: 'needs_approval', ...because(second), stages: facts.role.approval }
        : { kind: 'refused', ...whyNot([first, second], [atOnce, withApproval]) };
    },

    decideApproval(facts) {
      // These two hold whatever the rules say.
      if (samePrincipal(facts.approver, facts.requester)) {
        return { allowed: false, because: ['Nobody approves their own request.'] };
      }
      const question = approvalQuestion(facts);
      if (!isNamedBy(facts.stage, facts.approver)) {
        const approvers = describeApprovers(namesOf(facts.stage));
        return { allowed: false, because: [`This stage is for ${approvers}.`] };
      }
      return verdict(question);
    },

    decideDelegation: (facts) => verdict(delegationQuestion(facts)),

    decideRevocation: (facts) => verdict(revocationQuestion(facts)),

    decideAuditRead: (facts) => verdict(auditReadQuestion(facts)),

    decideKeyRotation: (facts) => verdict(keyRotationQuestion(facts)),
  };
}

function failureSentence(reason: string): string {
  return `The policy could not be evaluated, so the answer is no. Tell those who keep the policy: ${reason}`;
}
