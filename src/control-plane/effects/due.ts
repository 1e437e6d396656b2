import type { Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';

import { fromRow, type StoredGrant } from '../grants/rows.ts';
import type { Database, EffectTable } from '../store/tables.ts';

/** One write to Databricks that a grant's state demands. */
export interface DueEffect {
  readonly row: Selectable<EffectTable>;
  readonly grant: StoredGrant;
}

const BATCH = 100;

/** The due effects of a group, removals first. */
export async function dueEffects(db: Kysely<Database>, groupId: string): Promise<DueEffect[]> {
  const rows = await db
    .selectFrom('effect')
    .selectAll()
    .where('group_id', '=', groupId)
    .where('state', '=', 'due')
    .where('next_attempt_at', '<=', sql<Date>`oam.now()`)
    .orderBy('kind', 'desc')
    .orderBy('id')
    .limit(BATCH)
    .execute();
  if (rows.length === 0) return [];
  const grants = await db
    .selectFrom('access_grant')
    .selectAll()
    .where(
      'id',
      'in',
      rows.map((row) => row.grant_id),
    )
    .execute();
  const byId = new Map(grants.map((grant) => [grant.id, fromRow(grant)]));
  return rows.flatMap((row) => {
    const grant = byId.get(row.grant_id);
    return grant === undefined ? [] : [{ row, grant }];
  });
}

/** True if a write that adds the grant's member was ever begun: only then can there be something to remove. */
export async function wasAdditionBegun(db: Kysely<Database>, grantId: string): Promise<boolean> {
  const row = await db
    .selectFrom('effect')
    .select('begun_at')
    .where('grant_id', '=', grantId)
    .where('kind', '=', 'add_member')
    .executeTakeFirst();
  return row !== undefined && row.begun_at !== null;
}
