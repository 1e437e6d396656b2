import { type Kysely, sql } from 'kysely';

import type { EpochMs } from '../../domain/time.ts';
import { LIVE_STATES } from '../grants/rows.ts';
import type { Database } from '../store/tables.ts';

/** A membership that is to go at a moment that is known, with all that taking it away needs. */
export interface UpcomingRemoval {
  readonly groupId: string;
  readonly host: string;
  readonly memberId: string;
  /** 0 first. */
  readonly urgency: number;
  /** When the last grant that demands it ends, by the store's time. */
  readonly dueAtMs: EpochMs;
  /** The grants that end with it. */
  readonly grantIds: readonly string[];
}

/** What is to go, as the store knew it at one moment. */
export interface UpcomingRemovals {
  readonly storeNowMs: EpochMs;
  /** The most urgent first, then the soonest due. */
  readonly removals: readonly UpcomingRemoval[];
}

/** Two removals with one key are the same membership. */
export function membershipKey({ groupId, memberId }: Pick<UpcomingRemoval, 'groupId' | 'memberId'>): string {
  return `${groupId} ${memberId}`;
}

/**
 * What is to go, where memberships were given since the list was loaded: each stays as long as the last that demands it.
 */
export function withGiven(
  removals: readonly UpcomingRemoval[],
  given: readonly UpcomingRemoval[],
): UpcomingRemoval[] {
  const byKey = new Map(removals.map((removal) => [membershipKey(removal), removal]));
  for (const one of given) {
    const key = membershipKey(one);
    const known = byKey.get(key);
    byKey.set(
      key,
      known === undefined
        ? one
        : {
            ...known,
            dueAtMs: Math.max(known.dueAtMs, one.dueAtMs),
            grantIds: [...new Set([...known.grantIds, ...one.grantIds])],
          },
    );
  }
  return [...byKey.values()];
}

interface Row {
  readonly group_id: string;
  readonly host: string;
  readonly member_id: string;
  readonly urgency: number;
  readonly due_at: Date;
  readonly grant_ids: readonly string[];
}

/**
 * The memberships that are to go within the time given, those included whose removal has begun and was not seen yet. One
 * that a grant demands beyond that time, as `isDemanded` has it, is none of them, nor is one that was never begun to be given.
 */
export async function loadUpcomingRemovals(
  db: Kysely<Database>,
  withinMs: number,
): Promise<UpcomingRemovals> {
  const { rows: present } = await sql<{ now: Date }>`select oam.now() as now`.execute(db);
  const now = present[0]?.now;
  if (now === undefined) throw new TypeError('The store did not tell the time.');
  const until = new Date(now.getTime() + withinMs);
  const live = sql.join(LIVE_STATES.map((state) => sql.lit(state)));
  const { rows } = await sql<Row>`
    with ending as (
      select id, group_id, member_key, member_id, workspace_host, urgency, deadline_at as due_at
      from oam.access_grant
      where state in (${live}) and (state <> 'scheduled' or starts_at is null)
        and deadline_at <= ${until} and member_id is not null
      union all
      select ended.id, ended.group_id, ended.member_key, ended.member_id, ended.workspace_host, ended.urgency, ${now}
      from oam.effect join oam.access_grant ended on ended.id = effect.grant_id
      where effect.state = 'due' and effect.kind = 'remove_member' and effect.first_absent_at is null
        and ended.member_id is not null
    )
    select group_id, member_id, workspace_host as host, min(urgency) as urgency, max(due_at) as due_at,
      array_agg(ending.id) as grant_ids
    from ending
    -- Who is there though no write of ours was begun was put there by somebody else.
    cross join lateral (
      select from oam.effect
      where effect.grant_id = ending.id and effect.kind = 'add_member' and effect.begun_at is not null
      limit 1
    ) begun
    left join lateral (
      select true as is_kept from oam.access_grant longer
      where longer.group_id = ending.group_id and longer.member_key = ending.member_key
        and longer.state in (${live}) and longer.deadline_at > ${until}
        and exists (
          select from oam.effect
          where effect.grant_id = longer.id and effect.kind = 'add_member' and effect.begun_at is not null)
      -- Has each looked up by itself, whatever the planner knows.
      limit 1
    ) keeper on true
    where keeper.is_kept is null
    group by group_id, member_key, member_id, workspace_host
    order by min(urgency), max(due_at)`.execute(db);
  return {
    storeNowMs: now.getTime(),
    removals: rows.map((row) => ({
      groupId: row.group_id,
      host: row.host,
      memberId: row.member_id,
      urgency: row.urgency,
      dueAtMs: row.due_at.getTime(),
      grantIds: row.grant_ids,
    })),
  };
}
