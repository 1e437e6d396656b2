import { sql } from 'kysely';
import * as z from 'zod/mini';

import type { Principal } from '../../domain/principal.ts';
import { type AuditRowView, PersonView } from '../../protocol/schemas.ts';
import { toDate } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import type { Core } from '../core.ts';
import { fromCursor, toPage } from '../http/pages.ts';
import { ExplainedRefusal } from '../http/problems.ts';
import { teamsOf } from '../roles/teams.ts';

type View = z.infer<typeof AuditRowView>;

const Detail = z.record(z.string(), z.unknown());

/** What a list of audit rows is asked for. */
export interface AuditQuery {
  readonly grantId?: string | undefined;
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
  query: AuditQuery,
): Promise<{ items: View[]; nextCursor: string | null }> {
  const teams = teamsOf(caller, core.policy.catalogue);
  const verdict = core.policy.decideAuditRead({ reader: caller, teams });
  if (!verdict.allowed) {
    throw new ExplainedRefusal(
      'not_allowed',
      'The access policy does not let you read the audit trail. Ask an auditor.',
      verdict.because,
    );
  }
  const after = fromCursor(query.cursor);
  if (query.grantId !== undefined && !isId(query.grantId)) return { items: [], nextCursor: null };
  let select = core.db
    .selectFrom('audit')
    .selectAll()
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(query.limit + 1);
  if (query.grantId !== undefined) select = select.where('grant_id', '=', query.grantId);
  if (after !== undefined) {
    select = select.where(sql<boolean>`(at, id) < (${toDate(after[0])}, ${after[1]}::uuid)`);
  }
  const rows = await select.execute();
  const views = rows.slice(0, query.limit).map((row) => ({
    sequence: row.sequence,
    id: row.id,
    at: row.at.toISOString(),
    event: row.event,
    actor: row.actor === null ? null : PersonView.parse(row.actor),
    requestId: row.request_id,
    grantId: row.grant_id,
    roleId: row.role_id,
    detail: Detail.parse(row.detail),
    hash: row.hash,
  }));
  return toPage(rows, query.limit, (row) => [row.at.getTime(), row.id], views);
}
