import { type Kysely, type Selectable, sql } from 'kysely';
import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import { EVENT_KINDS, type EventView } from '../../protocol/events.ts';
import { isFor } from '../approvers/audience.ts';
import type { Core } from '../core.ts';
import { actingOf } from '../delegations/rows.ts';
import { isAuditor, ledTeams } from '../roles/teams.ts';
import type { Database, EventTable } from '../store/tables.ts';

type View = z.infer<typeof EventView>;

/** Events since a cursor, and the cursor of the next look. */
export interface EventPage {
  readonly items: View[];
  readonly nextCursor: string;
}

/**
 * A place in the order of events: the transaction that wrote one, then its number. Numbers alone would not do: they
 * are drawn before a transaction commits, so a later number can be seen first and an earlier one be skipped for ever.
 */
interface Place {
  readonly transaction: string;
  readonly id: string;
}

/** Without zeros in front, which PostgreSQL would take for octal numbers. */
const CURSOR = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,18})$/;

/** PostgreSQL's `xid8` is an unsigned number of 64 bits, its `bigint` a signed one. */
const MAX_TRANSACTION = 0xffff_ffff_ffff_ffffn;
const MAX_ID = 0x7fff_ffff_ffff_ffffn;

const PAGE_ROWS = 200;

const Kind = z.enum(EVENT_KINDS);

/**
 * What happened since a cursor that concerns the caller, in order and without gaps; nothing and the present place
 * where there is no cursor. It stops short of what a running transaction may still precede.
 *
 * @throws {OamError} `bad_request` where the cursor is none of ours.
 */
export async function readEvents(
  core: Pick<Core, 'db' | 'policy'>,
  caller: Principal,
  after: string | undefined,
): Promise<EventPage> {
  const place = after === undefined ? undefined : parseCursor(after);
  const { horizon, next } = await snapshotOf(core.db);
  const present = toCursor({ transaction: horizon, id: '0' });
  // A database that was moved to another server begins to count anew. A cursor from before would wait there for ever.
  const isOfAnotherServer = place !== undefined && BigInt(place.transaction) > BigInt(next);
  if (place === undefined || isOfAnotherServer) return { items: [], nextCursor: present };
  // Whoever may speak for somebody learns what waits for them.
  const people = [caller, ...(await actingOf(core.db, caller)).map(({ delegator }) => delegator)];
  const { rows } = await sql<Selectable<EventTable>>`
    select * from oam.event
    where (transaction_id, id) > (${place.transaction}::xid8, ${place.id}::bigint)
      and transaction_id < ${horizon}::xid8
      and (
        (iss = ${caller.iss} and sub = ${caller.sub})
        or ${sql.join(
          people.map((person) => isFor('audience', person)),
          sql` or `,
        )}
        or team = any(${ledTeams(caller, core.policy.catalogue)}::text[])
        or ${isAuditor(caller)}::boolean
      )
    order by transaction_id, id
    limit ${PAGE_ROWS}`.execute(core.db);
  const items = rows.map(viewEvent);
  const last = rows.length < PAGE_ROWS ? undefined : items.at(-1);
  return { items, nextCursor: last?.cursor ?? laterOf(present, after) };
}

/** The place of the newest event that can be read: changes whenever there is something new for anybody. */
export async function newestEvent(db: Kysely<Database>): Promise<string> {
  const { rows } = await sql<{ place: string }>`
    select transaction_id::text || '-' || id as place from oam.event
    where transaction_id < pg_snapshot_xmin(pg_current_snapshot())
    order by transaction_id desc, id desc limit 1`.execute(db);
  return rows[0]?.place ?? '';
}

interface Snapshot {
  /** The oldest transaction that still runs: all before it have said what they have to say. */
  readonly horizon: string;
  /** The one that begins next. */
  readonly next: string;
}

async function snapshotOf(db: Kysely<Database>): Promise<Snapshot> {
  const { rows } = await sql<Snapshot>`
    select pg_snapshot_xmin(now)::text as horizon, pg_snapshot_xmax(now)::text as next
    from pg_current_snapshot() now`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new TypeError('The store did not tell its horizon.');
  return row;
}

function viewEvent(row: Selectable<EventTable>): View {
  return {
    cursor: toCursor({ transaction: row.transaction_id, id: String(row.id) }),
    kind: Kind.parse(row.kind),
    at: row.at.toISOString(),
    requestId: row.request_id,
    grantId: row.grant_id,
  };
}

function toCursor(place: Place): string {
  return `${place.transaction}-${place.id}`;
}

function parseCursor(cursor: string): Place {
  const [, transaction, id] = CURSOR.exec(cursor) ?? [];
  if (
    transaction === undefined ||
    id === undefined ||
    BigInt(transaction) > MAX_TRANSACTION ||
    BigInt(id) > MAX_ID
  ) {
    throw new OamError(
      'bad_request',
      'The cursor is not one of this feed. Read the feed from its present end.',
    );
  }
  return { transaction, id };
}

/** Cursors never go back, also where a snapshot is older than the one that the cursor came from. */
function laterOf(a: string, b: string | undefined): string {
  if (b === undefined) return a;
  const [x, y] = [parseCursor(a), parseCursor(b)];
  const order = BigInt(x.transaction) - BigInt(y.transaction) || BigInt(x.id) - BigInt(y.id);
  return order >= 0n ? a : b;
}
