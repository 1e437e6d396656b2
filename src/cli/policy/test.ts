import type { Invocation } from '../invocation.ts';
import type { FolderFlags } from './folder-flags.ts';
import { loadFolder } from './load.ts';
import { placeOf } from './rule-lines.ts';

/**
 * `oam policy test`: tries the cases of a policy folder.
 *
 * @returns true if all passed.
 * @throws {FileProblemsError} where the policy or the cases cannot be used.
 */
export async function testPolicy(
  folder: string,
  flags: FolderFlags,
  invocation: Invocation,
): Promise<boolean> {
  const { answer } = invocation;
  const { readCases } = await import('../../control-plane/policy-trial/cases.ts');
  const { runCases } = await import('../../control-plane/policy-trial/run.ts');
  const policy = await loadFolder(folder, flags, invocation);
  const { results, unexercised } = runCases(policy, await readCases(folder, policy));
  const failed = results.filter(({ differences }) => differences.length > 0);
  if (flags.json) {
    answer(
      JSON.stringify({
        policyVersion: policy.hash,
        passed: results.length - failed.length,
        failed: failed.length,
        cases: results.map(({ tried, outcome, approvers, differences }) => ({
          ...{ file: tried.file, line: tried.line, name: tried.written.name },
          ...{ expect: tried.written.expect, got: outcome.kind, rules: outcome.by ?? [] },
          ...{ because: outcome.because, approvers, differences },
        })),
        unexercised: unexercised.map((rule) => ({ id: rule.id, at: placeOf(rule) })),
      }),
    );
    return failed.length === 0;
  }
  for (const { tried, outcome, differences } of failed) {
    answer(`${tried.file}:${tried.line ?? ''}: ${tried.written.name}`);
    for (const { expected, got } of differences) answer(`  - ${expected}\n  + ${got}`);
    for (const reason of outcome.because) answer(`    ${reason}`);
    answer('');
  }
  answer(`${results.length} cases: ${results.length - failed.length} passed, ${failed.length} failed.`);
  answer(
    unexercised.length === 0
      ? 'Every rule decided in one of them.'
      : `Rules that decided in none: ${unexercised.map((rule) => `${rule.id} (${placeOf(rule)})`).join(', ')}`,
  );
  return failed.length === 0;
}
