import { sql } from 'kysely';

import type { GroupExpectation } from '../../domain/reconciliation.ts';
import type { Change } from '../changes/change.ts';

/** How long reads of a group may lag behind what was written to it, in milliseconds. */
const READS_LAG_MS = 60_000;

/** An active grant whose membership reads have had time to show. */
export interface DemandingGrant {
  readonly grantId: string;
  readonly memberId: string;
}

/** What the store says of a group's members: who is demanded for sure, and who may be there or not. */
export async function expectationOf(
  change: Change,
  groupId: string,
): Promise<GroupExpectation & { readonly grants: readonly DemandingGrant[] }> {
  const { rows } = await sql<{ id: string; member_id: string; settled: boolean }>`
    select id, member_id,
      state = 'active' and membership_present_at <= oam.now() - ${READS_LAG_MS} * interval '1 millisecond' as settled
    from oam.access_grant
    where group_id = ${groupId} and member_id is not null
      and not (state = 'scheduled' and starts_at is not null)
      and (state not in ('ended', 'failed')
        or membership_absent_at > oam.now() - ${READS_LAG_MS} * interval '1 millisecond')`.execute(
    change.trx,
  );
  const settled = rows.filter((row) => row.settled);
  const moving = rows.filter((row) => !row.settled).map((row) => row.member_id);
  return {
    demanded: new Set(settled.map((row) => row.member_id)),
    moving: new Set(moving),
    grants: settled.map((row) => ({ grantId: row.id, memberId: row.member_id })),
  };
}
