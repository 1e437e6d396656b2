import { randomUUID } from 'node:crypto';

import { type Kysely, type Selectable, sql } from 'kysely';

import { OamError } from '../../domain/errors.ts';
import { WRITE_AGAIN_MS } from './due.ts';
import type { Database, JitGroupTable } from '../store/tables.ts';

/** A JIT group as the store knows it. */
export type JitGroup = Selectable<JitGroupTable>;

/** How long a replica that stopped answering keeps a group from the others, in milliseconds. */
const LEASE_MS = 5_000;

const RENEW_EVERY_MS = 1_500;

/** The right to write to one Databricks group. */
export interface GroupLease {
  readonly group: JitGroup;
  /**
   * Makes sure, just before a write, that the right is still ours.
   *
   * @throws {OamError} `lease_lost`.
   */
  confirm(): Promise<void>;
  release(): Promise<void>;
}

/** Which groups are taken. */
export interface LeaseWish {
  readonly limit: number;
  readonly exceptGroupIds: readonly string[];
  /**
   * `any` work, but on the slow hosts only what a read decides; or the most urgent write to one slow host.
   */
  readonly work:
    | { readonly kind: 'any'; readonly slowHosts: readonly string[] }
    | { readonly kind: 'write'; readonly host: string };
}

/**
 * Takes groups that have due work and that nobody writes to: those with the most urgent removal first, and of equally
 * urgent ones the longest due. Work is due where an effect's time has come, and where a group has yet to be adopted.
 */
export async function leaseGroups(db: Kysely<Database>, wish: LeaseWish): Promise<GroupLease[]> {
  const holder = randomUUID();
  const { work } = wish;
  const isOurs =
    work.kind === 'any'
      ? sql<boolean>`(candidate.workspace_host <> all(${[...work.slowHosts]}::text[]) or not ${IS_WRITE_DUE})`
      : sql<boolean>`(candidate.workspace_host = ${work.host} and ${IS_WRITE_DUE})`;
  const isUnadopted =
    work.kind === 'any'
      ? sql<boolean>`(candidate.adoption <> 'adopted' and candidate.next_check_at <= present.now)`
      : sql<boolean>`false`;
  const { rows } = await sql<JitGroup>`
    with present as materialized (select oam.now() as now),
    wanted as materialized (
      select candidate.group_id, due.urgency, due.id from present, oam.jit_group candidate
      left join lateral (
        select effect.urgency, effect.id from present, oam.effect
        where effect.group_id = candidate.group_id
          and effect.state = 'due' and effect.next_attempt_at <= present.now
          and ${isOurs}
        order by effect.urgency, effect.id
        limit 1
      ) due on true
      where (candidate.lease_until is null or candidate.lease_until <= present.now)
        and candidate.group_id <> all(${[...wish.exceptGroupIds]}::text[])
        and (due.id is not null or ${isUnadopted})
      order by due.urgency nulls last, due.id
      limit ${wish.limit}
      for update of candidate skip locked
    ),
    taken as (
      update oam.jit_group set
        lease_holder = ${holder},
        lease_until = present.now + ${LEASE_MS} * interval '1 millisecond'
      from wanted, present
      where jit_group.group_id = wanted.group_id
      returning jit_group.*, wanted.urgency, wanted.id
    )
    select * from taken order by urgency nulls last, id`.execute(db);
  return rows.map((group) => createLease(db, group, holder));
}

/** Takes one group, whatever is due there; undefined where somebody else writes to it. */
export async function leaseGroup(db: Kysely<Database>, groupId: string): Promise<GroupLease | undefined> {
  const holder = randomUUID();
  const { rows } = await sql<JitGroup>`
    update oam.jit_group set
      lease_holder = ${holder},
      lease_until = oam.now() + ${LEASE_MS} * interval '1 millisecond'
    where group_id = ${groupId} and (lease_until is null or lease_until <= oam.now())
    returning *`.execute(db);
  const [group] = rows;
  return group && createLease(db, group, holder);
}

/** As `due.ts` has it: nothing was taken yet, or what was taken has not shown for too long. */
const IS_WRITE_DUE = sql<boolean>`(effect.written_at is null or (effect.first_absent_at is null
  and effect.written_at <= present.now - ${WRITE_AGAIN_MS} * interval '1 millisecond'))`;

function createLease(db: Kysely<Database>, group: JitGroup, holder: string): GroupLease {
  const renew = async (): Promise<boolean> => {
    const result = await sql`
      update oam.jit_group set lease_until = oam.now() + ${LEASE_MS} * interval '1 millisecond'
      where group_id = ${group.group_id} and lease_holder = ${holder} and lease_until > oam.now()`.execute(
      db,
    );
    return result.numAffectedRows === 1n;
  };
  // A renewal that fails is noticed at the next confirmation, which fails too.
  const timer = setInterval(() => void renew().catch(() => false), RENEW_EVERY_MS);
  return {
    group,
    async confirm() {
      if (!(await renew())) {
        throw new OamError('lease_lost', 'Another replica writes to this group now.', {
          detail: group.group_id,
        });
      }
    },
    async release() {
      clearInterval(timer);
      await sql`
        update oam.jit_group set lease_until = null, lease_holder = null
        where group_id = ${group.group_id} and lease_holder = ${holder}`.execute(db);
    },
  };
}
