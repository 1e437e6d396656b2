import type { Kysely } from 'kysely';

import type { Principal } from '../../domain/principal.ts';
import type { AnchorLine, AuditLine } from '../../protocol/audit.ts';
import type { Core } from '../core.ts';
import type { Database } from '../store/tables.ts';
import { expectAuditReader, recordExport, recordReading } from './reading.ts';
import { type AuditRow, exportRow } from './rows.ts';

const PAGE = 1_000;

/**
 * The trail behind a place of its chain, in the order of the chain, then what has yet to be chained, then the line
 * that says that this was all.
 *
 * @throws {OamError} `not_allowed`, `groups_overflowed`, before the first line.
 */
export async function exportAudit(
  core: Core,
  caller: Principal,
  after: number,
): Promise<AsyncIterable<AuditLine>> {
  expectAuditReader(core, caller);
  await recordExport(core, caller, { after });
  return auditLines(core.db, after);
}

/** {@link exportAudit} without a reader. One page is in memory at a time. */
export async function* auditLines(db: Kysely<Database>, after: number): AsyncGenerator<AuditLine> {
  let position = after;
  for (;;) {
    const page = await readPage(db, position);
    for (const row of page.chained) yield exportRow(row);
    position = page.chained.at(-1)?.sequence ?? position;
    if (page.rest === undefined) continue;
    for (const row of page.rest.unchained) yield exportRow(row);
    yield { end: page.rest.end };
    return;
  }
}

interface ExportPage {
  readonly chained: readonly AuditRow[];
  /** Only on the last page; from the same moment as its rows, so that no row is between the two. */
  readonly rest:
    | {
        readonly unchained: readonly AuditRow[];
        readonly end: Extract<AuditLine, { end: unknown }>['end'];
      }
    | undefined;
}

async function readPage(db: Kysely<Database>, after: number): Promise<ExportPage> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const rows = trx.selectFrom('audit').selectAll();
      const chained = await rows.where('sequence', '>', after).orderBy('sequence').limit(PAGE).execute();
      if (chained.length === PAGE) return { chained, rest: undefined };
      const unchained = await rows.where('sequence', 'is', null).orderBy('at').orderBy('id').execute();
      const head = await trx.selectFrom('audit_chain').select(['sequence', 'hash']).executeTakeFirstOrThrow();
      const { epoch } = await trx.selectFrom('store').select('epoch').executeTakeFirstOrThrow();
      return { chained, rest: { unchained, end: { ...head, unchained: unchained.length, epoch } } };
    });
}

/**
 * The anchors behind a place of the chain, in order.
 *
 * @throws {OamError} `not_allowed`, `groups_overflowed`, before the first line.
 */
export async function exportAnchors(
  core: Core,
  caller: Principal,
  after: number,
): Promise<AsyncIterable<AnchorLine>> {
  expectAuditReader(core, caller);
  await recordReading(core, caller, { anchorsAfter: after });
  return anchorLines(core.db, after);
}

async function* anchorLines(db: Kysely<Database>, after: number): AsyncGenerator<AnchorLine> {
  let position = after;
  for (;;) {
    const anchors = await anchorsBehind(db, position, PAGE);
    yield* anchors;
    position = anchors.at(-1)?.sequence ?? position;
    if (anchors.length < PAGE) return;
  }
}

/** Anchors as they are stored, in order. */
export async function anchorsBehind(
  db: Kysely<Database>,
  after: number,
  limit: number,
): Promise<AnchorLine[]> {
  const rows = await db
    .selectFrom('audit_anchor')
    .selectAll()
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(limit)
    .execute();
  return rows.map(({ at, ...anchor }) => ({ ...anchor, at: at.toISOString() }));
}
