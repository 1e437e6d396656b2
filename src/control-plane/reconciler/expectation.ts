import { sql } from 'kysely';

import type { GroupExpectation } from '../../domain/reconciliation.ts';
import { type EpochMs, SECOND_MS } from '../../domain/time.ts';
import { type Change, toMs } from '../changes/change.ts';

/** How long reads of a group may lag behind what was written to it, in milliseconds. */
const READS_LAG_MS = 60_000;

/** An active grant whose membership reads have had time to show. */
export interface DemandingGrant {
  readonly grantId: string;
  readonly memberId: string;
}

/** What the store says of a group's members. */
export interface StoredExpectation extends GroupExpectation {
  readonly grants: readonly DemandingGrant[];
  /** When the last of those who were just given theirs will be demanded for sure; undefined where there is none. */
  readonly settlesAtMs: EpochMs | undefined;
}

/** What the store says of a group's members: who is demanded for sure, and who may be there or not. */
export async function expectationOf(change: Change, groupId: string): Promise<StoredExpectation> {
  const { rows } = await sql<{ id: string; member_id: string; settled: boolean; given_at: Date | null }>`
    select id, member_id, case when state = 'active' then membership_present_at end as given_at,
      state = 'active' and membership_present_at <= oam.now() - ${READS_LAG_MS} * interval '1 millisecond' as settled
    from (
      select * from oam.access_grant where group_id = ${groupId} and state not in ('ended', 'failed')
      union all
      select * from oam.access_grant where group_id = ${groupId} and state in ('ended', 'failed')
        and membership_absent_at > oam.now() - ${READS_LAG_MS} * interval '1 millisecond'
    ) as known
    where member_id is not null and not (state = 'scheduled' and starts_at is not null)`.execute(change.trx);
  const settled = rows.filter((row) => row.settled);
  const moving = rows.filter((row) => !row.settled);
  const givenAtMs = moving.flatMap((row) => toMs(row.given_at) ?? []);
  return {
    demanded: new Set(settled.map((row) => row.member_id)),
    moving: new Set(moving.map((row) => row.member_id)),
    // A second more: then they are not moving any more.
    settlesAtMs: givenAtMs.length === 0 ? undefined : Math.max(...givenAtMs) + READS_LAG_MS + SECOND_MS,
    grants: settled.map((row) => ({ grantId: row.id, memberId: row.member_id })),
  };
}
