import { type SelectQueryBuilder, sql } from 'kysely';
import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import { toDate } from '../changes/change.ts';

/** The end of the year 9999: no sort key is later, and the store can hold it. */
const LATEST_MS = 253_402_300_799_999;

const Position = z.tuple([z.int().check(z.minimum(0), z.maximum(LATEST_MS)), z.uuid()]);

/** Where a page ended: a sort key in epoch milliseconds, and the id that breaks ties. */
export type Position = z.infer<typeof Position>;

/** A position as clients carry it; opaque to them. */
export function toCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/**
 * Reads a cursor that a client gave back.
 *
 * @throws {OamError} `bad_request` where it is none of ours.
 */
export function fromCursor(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined;
  try {
    return Position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new OamError('bad_request', 'The cursor is not one of this list. Read the list from its start.');
  }
}

/** What a list is read by: from where on, and how much of it. */
export interface PageQuery {
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/**
 * The rows of a page that begins with the newest, and one more, for {@link toPage}.
 *
 * @param column When a row came to be.
 * @throws {OamError} `bad_request` for a foreign cursor.
 */
export function newestFirst<DB, TB extends keyof DB, O>(
  rows: SelectQueryBuilder<DB, TB, O>,
  column: 'created_at' | 'issued_at',
  { cursor, limit }: PageQuery,
): SelectQueryBuilder<DB, TB, O> {
  const after = fromCursor(cursor);
  const key = sql.ref(column);
  const page = rows
    .orderBy(key, 'desc')
    .orderBy(sql.ref('id'), 'desc')
    .limit(limit + 1);
  return after === undefined
    ? page
    : page.where(sql<boolean>`(${key}, id) < (${toDate(after[0])}, ${after[1]}::uuid)`);
}

/** A page out of the rows of a query that asked for one more than the page holds. */
export function toPage<Row, View>(
  rows: readonly Row[],
  limit: number,
  positionOf: (row: Row) => Position,
  views: readonly View[],
): { items: View[]; nextCursor: string | null } {
  const last = rows[limit - 1];
  return {
    items: views.slice(0, limit),
    nextCursor: rows.length > limit && last !== undefined ? toCursor(positionOf(last)) : null,
  };
}
