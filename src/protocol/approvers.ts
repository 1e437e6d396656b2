import * as z from 'zod/mini';

import { DUTIES } from '../domain/principal.ts';

/** Whom a stage of an approval is for; whoever approves meets each demand that is made. */
export const StageView = z.object({
  /** Of which the approver is in one; empty where the stage does not go by groups. */
  approverGroups: z.array(z.string()),
  approverDuty: z._default(z.nullable(z.enum(DUTIES)), null),
  /** Of each of these attributes, the approver has one of the values. */
  approverAttributes: z._default(z.record(z.string(), z.array(z.string())), {}),
  /** The team that the approver is of, where that is demanded. */
  ofTeam: z._default(z.nullable(z.string()), null),
  quorum: z.int(),
});
/** See {@link StageView}. */
export type StageView = z.infer<typeof StageView>;

/** What tells which stage is waited for. */
interface Staged {
  readonly stages: readonly StageView[];
  readonly approvals: readonly { readonly stage: number; readonly verdict: 'approved' | 'denied' }[];
}

/** The stage that waits for a word now; undefined where all have been given. */
export function awaitedStage({ stages, approvals }: Staged): StageView | undefined {
  return stages.find(
    (stage, index) =>
      approvals.filter((approval) => approval.stage === index && approval.verdict === 'approved').length <
      stage.quorum,
  );
}
