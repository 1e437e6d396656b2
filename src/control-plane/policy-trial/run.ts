import { samePrincipal } from '../../domain/principal.ts';
import type { Rule } from '../policy/rules.ts';
import type { CompiledPolicy } from '../policy/version.ts';
import {
  askToApprove,
  askToDelegate,
  askToReadAudit,
  askToRequest,
  askToRevoke,
  askToRotateKeys,
  type Outcome,
} from './ask.ts';
import type { Case } from './cases.ts';

/** What became of a case. */
export interface CaseResult {
  readonly tried: Case;
  readonly outcome: Outcome;
  /** Of the people of the file, those who may approve; where approval is needed. */
  readonly approvers: readonly string[] | undefined;
  /** What is not as expected, as pairs of lines; empty where the case passed. */
  readonly differences: readonly { readonly expected: string; readonly got: string }[];
}

/** What became of all cases. */
export interface TrialReport {
  readonly results: readonly CaseResult[];
  /** Rules that decided in no case. */
  readonly unexercised: readonly Rule[];
}

/** Tries every case. */
export function runCases(policy: CompiledPolicy, cases: readonly Case[]): TrialReport {
  const exercised = new Set<string>();
  const results = cases.map((tried): CaseResult => {
    const outcome = ask(policy, tried);
    for (const id of outcome.by ?? []) exercised.add(id);
    const approvers = outcome.kind === 'with_approval' ? approversOf(policy, tried, exercised) : undefined;
    return { tried, outcome, approvers, differences: differencesOf(tried, outcome, approvers) };
  });
  return { results, unexercised: policy.rules.filter(({ id }) => !exercised.has(id)) };
}

function ask(policy: CompiledPolicy, { written, who, role, of }: Case): Outcome {
  switch (written.does) {
    case 'request':
      return askToRequest(policy, who, present(role), written);
    case 'approve':
      return askToApprove(policy, who, present(of), present(role), written.minutes);
    case 'delegate':
      return askToDelegate(policy, who, present(of), role);
    case 'revoke':
      return askToRevoke(policy, who, present(of), present(role));
    case 'read_audit':
      return askToReadAudit(policy, who);
    case 'rotate_keys':
      return askToRotateKeys(policy, who);
  }
}

/** Whoever reads the cases has made sure of it. */
function present<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('A case lacks what its deed needs.');
  return value;
}

function approversOf(policy: CompiledPolicy, { who, role, people }: Case, exercised: Set<string>): string[] {
  return [...people]
    .filter(([, person]) => {
      if (samePrincipal(person, who)) return false;
      const { kind, by } = askToApprove(policy, person, who, present(role));
      for (const id of by ?? []) exercised.add(id);
      return kind === 'allowed';
    })
    .map(([name]) => name);
}

function differencesOf(
  { written }: Case,
  { kind, because, by = [] }: Outcome,
  approvers: readonly string[] | undefined,
): { expected: string; got: string }[] {
  const differences: { expected: string; got: string }[] = [];
  if (kind !== written.expect) differences.push({ expected: written.expect, got: kind });
  const missing = (written.rules ?? []).filter((id) => !by.includes(id));
  if (missing.length > 0) {
    differences.push({ expected: `by ${missing.join(', ')}`, got: `by ${by.join(', ') || 'no rule'}` });
  }
  const { because: words } = written;
  if (words !== undefined && !because.some((sentence) => sentence.includes(words))) {
    differences.push({ expected: `because … ${words} …`, got: `because ${because.join(' ')}` });
  }
  const wanted = written.approvers && [...written.approvers].sort().join(', ');
  const found = [...(approvers ?? [])].sort().join(', ');
  if (wanted !== undefined && wanted !== found) {
    differences.push({
      expected: `approvers: ${wanted || 'nobody'}`,
      got: `approvers: ${found || 'nobody'}`,
    });
  }
  return differences;
}
