import { randomUUID } from 'node:crypto';

import { type Kysely, type Selectable, sql } from 'kysely';

import { OamError } from '../../domain/errors.ts';
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

/**
 * Takes the groups that have due work and that nobody writes to, at most `limit`. Work is due where an effect's time
 * has come, and where a group has yet to be adopted.
 */
export async function leaseGroups(
  db: Kysely<Database>,
  limit: number,
  exceptGroupIds: readonly string[],
): Promise<GroupLease[]> {
  const holder = randomUUID();
  const { rows } = await sql<JitGroup>`
    update oam.jit_group set
      lease_holder = ${holder},
      lease_until = oam.now() + ${LEASE_MS} * interval '1 millisecond'
    where group_id in (
      select candidate.group_id from oam.jit_group candidate
      where (candidate.lease_until is null or candidate.lease_until <= oam.now())
        and candidate.group_id <> all(${[...exceptGroupIds]}::text[])
        and (
          exists (
            select from oam.effect
            where effect.group_id = candidate.group_id
              and effect.state = 'due' and effect.next_attempt_at <= oam.now()
          )
          or (candidate.adoption <> 'adopted' and candidate.next_check_at <= oam.now())
        )
      limit ${limit}
      for update skip locked
    )
    returning *`.execute(db);
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
