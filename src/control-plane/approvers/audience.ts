import { type RawBuilder, sql } from 'kysely';

import { demandsOf, marksOf } from '../../domain/approvers.ts';
import type { Principal } from '../../domain/principal.ts';
import type { ApprovalStage } from '../../domain/role.ts';

/** Whom stages are for, as it is stored, so that the store finds what waits for somebody. */
export function audienceText(stages: readonly ApprovalStage[]): string {
  return JSON.stringify(stages.map(demandsOf));
}

/** True in a query where one of the stages behind an audience is for somebody. */
export function isFor(
  audience: 'awaited' | 'audience' | 'reviewers',
  person: Principal,
): RawBuilder<boolean> {
  const marks = [...marksOf(person)];
  return sql<boolean>`exists (
    select from jsonb_array_elements(${sql.ref(audience)}) as stage (demands)
    where not exists (
      select from jsonb_array_elements(stage.demands) as demand (choice)
      where not demand.choice ?| ${marks}::text[]))`;
}
