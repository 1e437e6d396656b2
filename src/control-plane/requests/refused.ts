import { ExplainedRefusal } from '../http/problems.ts';

/** The refusal of what policy does not allow. */
export function refusedByPolicy(because: readonly string[]): ExplainedRefusal {
  return new ExplainedRefusal(
    'refused_by_policy',
    'The access policy does not allow this request. The reasons say what would be allowed.',
    because,
  );
}
