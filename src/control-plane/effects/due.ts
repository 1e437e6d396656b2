import { type Kysely, type Selectable, sql } from 'kysely';

import type { EpochMs } from '../../domain/time.ts';
import { toMs } from '../changes/change.ts';
import { HELD_COLUMNS, type HeldGrant, heldFromRow, LIVE_STATES } from '../grants/rows.ts';
import { among } from '../store/among.ts';
import type { Database, EffectTable } from '../store/tables.ts';

/** One write to Databricks that a grant's state demands. */
export interface DueEffect {
  readonly row: Selectable<EffectTable>;
  readonly grant: HeldGrant;
  /** True where a write is to be made; false where one was taken and a read is to show it. */
  readonly isWriteDue: boolean;
}

/** A membership that is to go. */
export interface DueRemoval extends DueEffect {
  /** Why there is nothing to remove; undefined where there is. */
  readonly idleBecause: string | undefined;
}

/** How many removals of a group are taken up at once; more wait for the next turn. */
const REMOVALS_AT_ONCE = 500;

/** Fewer: each is looked at again before it is written, and a removal that becomes due waits as long. */
const ADDITIONS_AT_ONCE = 25;

/** A write is repeated where reads have not shown it for this long, in milliseconds. */
export const WRITE_AGAIN_MS = 15_000;

/** The due removals of a group, the most urgent first. */
export async function dueRemovals(db: Kysely<Database>, groupId: string): Promise<DueRemoval[]> {
  const effects = await dueEffects(db, groupId, 'remove_member', REMOVALS_AT_ONCE);
  if (effects.length === 0) return [];
  const ids = effects.map(({ grant }) => grant.id);
  const begun = await additionsBegun(db, ids);
  const kept = await demandedByOthers(db, ids);
  return effects.map((effect) => ({ ...effect, idleBecause: idleBecause(effect.grant, begun, kept) }));
}

/** The due additions of a group, the oldest first. */
export async function dueAdditions(db: Kysely<Database>, groupId: string): Promise<DueEffect[]> {
  return dueEffects(db, groupId, 'add_member', ADDITIONS_AT_ONCE);
}

async function dueEffects(
  db: Kysely<Database>,
  groupId: string,
  kind: EffectTable['kind'],
  limit: number,
): Promise<DueEffect[]> {
  const rows = await db
    .selectFrom('effect')
    .selectAll()
    .select(sql<Date>`(select oam.now())`.as('now'))
    .where('group_id', '=', groupId)
    .where('kind', '=', kind)
    .where('state', '=', 'due')
    .where('next_attempt_at', '<=', sql<Date>`(select oam.now())`)
    .orderBy('urgency')
    .orderBy('id')
    .limit(limit)
    .execute();
  if (rows.length === 0) return [];
  const grants = await db
    .selectFrom('access_grant')
    .select(HELD_COLUMNS)
    .where(
      'id',
      '=',
      among(
        'uuid',
        rows.map((row) => row.grant_id),
      ),
    )
    .execute();
  const byId = new Map(grants.map((grant) => [grant.id, heldFromRow(grant)]));
  return rows.flatMap(({ now, ...row }) => {
    const grant = byId.get(row.grant_id);
    return grant === undefined ? [] : [{ row, grant, isWriteDue: isWriteDue(row, now.getTime()) }];
  });
}

/**
 * A write whose answer was lost is repeated at once, which does no harm; one that Databricks took, when reads have had
 * time to show it.
 */
function isWriteDue(row: Selectable<EffectTable>, nowMs: EpochMs): boolean {
  const writtenAtMs = toMs(row.written_at);
  if (writtenAtMs === undefined) return true;
  return row.first_absent_at === null && nowMs - writtenAtMs >= WRITE_AGAIN_MS;
}

function idleBecause(
  grant: HeldGrant,
  begun: ReadonlySet<string>,
  kept: ReadonlySet<string>,
): string | undefined {
  if (!begun.has(grant.id) || grant.memberId === undefined) return 'nothing was written';
  return kept.has(grant.id) ? 'another live grant keeps the membership' : undefined;
}

/** The grants for which a write that adds their member was ever begun: only then can there be something to remove. */
async function additionsBegun(
  db: Kysely<Database>,
  grantIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('effect')
    .select('grant_id')
    .where('grant_id', '=', among('uuid', grantIds))
    .where('kind', '=', 'add_member')
    .where('begun_at', 'is not', null)
    .execute();
  return new Set(rows.map((row) => row.grant_id));
}

/**
 * The grants whose membership another grant demands, as `isDemanded` has it: one for which nothing was begun keeps nothing.
 * The limit has each looked up by itself: where many have just come, the planner knows nothing of them yet, and would read
 * all that live for every group.
 */
async function demandedByOthers(
  db: Kysely<Database>,
  grantIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('access_grant as mine')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('access_grant as other')
          .select('other.id')
          .whereRef('other.group_id', '=', 'mine.group_id')
          .whereRef('other.member_key', '=', 'mine.member_key')
          .whereRef('other.id', '<>', 'mine.id')
          .where('other.state', 'in', LIVE_STATES)
          .where((begun) =>
            begun.exists(
              begun
                .selectFrom('effect')
                .select('effect.id')
                .whereRef('effect.grant_id', '=', 'other.id')
                .where('effect.kind', '=', 'add_member')
                .where('effect.begun_at', 'is not', null),
            ),
          )
          .limit(1)
          .as('keeper'),
      (join) => join.onTrue(),
    )
    .select('mine.id')
    .where('mine.id', '=', among('uuid', grantIds))
    .execute();
  return new Set(rows.map((row) => row.id));
}
