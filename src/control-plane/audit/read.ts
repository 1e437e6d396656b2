import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';

import type { Principal } from '../../domain/principal.ts';
import type { AuditFilter, AuditRowView } from '../../protocol/audit.ts';
import { isId } from '../changes/ids.ts';
import { toDate } from '../changes/change.ts';
import type { Core } from '../core.ts';
import { fromCursor, toPage } from '../http/pages.ts';
import type { Database } from '../store/tables.ts';
import { expectAuditReader, recordReading } from './reading.ts';
import { type AuditRow, viewAuditRow } from './rows.ts';

/** What a list of audit rows is asked for. */
export interface AuditQuery extends AuditFilter {
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/**
 * The audit trail, the newest row first, for those whom policy lets read it.
 *
 * @throws {OamError} `not_allowed`, `groups_overflowed`, `bad_request` for a foreign cursor.
 */
export async function listAudit(
  core: Core,
  caller: Principal,
  { cursor, limit, ...filter }: AuditQuery,
): Promise<{ items: AuditRowView[]; nextCursor: string | null }> {
  expectAuditReader(core, caller);
  const after = fromCursor(cursor);
  await recordReading(core, caller, filter);
  const ids = [filter.grantId, filter.requestId].filter((id) => id !== undefined);
  if (!ids.every(isId)) return { items: [], nextCursor: null };
  const rows = await searchAudit(core.db, { ...filter, limit: limit + 1 }, after);
  return toPage(
    rows,
    limit,
    (row) => [row.at.getTime(), row.id],
    rows.slice(0, limit).map((row) => viewAuditRow(row)),
  );
}

/** The newest rows that meet a filter, up to `limit`; those behind a place where there is one. */
export async function searchAudit(
  db: Kysely<Database>,
  { limit, ...filter }: AuditFilter & { readonly limit: number },
  after: readonly [atMs: number, id: string] | undefined,
): Promise<AuditRow[]> {
  let select = meeting(db.selectFrom('audit').selectAll(), filter)
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit);
  if (after !== undefined) {
    select = select.where(sql<boolean>`(at, id) < (${toDate(after[0])}, ${after[1]}::uuid)`);
  }
  return select.execute();
}

function meeting(
  rows: SelectQueryBuilder<Database, 'audit', AuditRow>,
  filter: AuditFilter,
): SelectQueryBuilder<Database, 'audit', AuditRow> {
  const { event, actor, grantId, requestId, roleId, from, to } = filter;
  let select = rows;
  // By the collation of the index, under which a family of names is a range.
  if (event?.endsWith('.*') === true) {
    const family = event.slice(0, -1);
    const behind = `${family}\u{10ffff}`;
    select = select.where(sql<boolean>`event collate "C" >= ${family} and event collate "C" < ${behind}`);
  } else if (event !== undefined) {
    select = select.where(sql<boolean>`event collate "C" = ${event}`);
  }
  if (actor !== undefined) {
    select = select.where(sql<boolean>`(actor->>'sub' = ${actor} or actor->>'userName' = ${actor})`);
  }
  if (grantId !== undefined) select = select.where('grant_id', '=', grantId);
  if (requestId !== undefined) select = select.where('request_id', '=', requestId);
  if (roleId !== undefined) select = select.where('role_id', '=', roleId);
  if (from !== undefined) select = select.where('at', '>=', new Date(from));
  if (to !== undefined) select = select.where('at', '<', new Date(to));
  return select;
}
