import type { Selectable } from 'kysely';
import * as z from 'zod/mini';

import type { AuditRecord } from '../../domain/audit-chain.ts';
import type { AuditExportRow, AuditRowView } from '../../protocol/audit.ts';
import { PersonView } from '../../protocol/schemas.ts';
import type { AuditTable } from '../store/audit-tables.ts';

/** A row of the trail as the store gives it. */
export type AuditRow = Selectable<AuditTable>;

const StoredJson = z.json();

const Detail = z.record(z.string(), z.unknown());

/** A row as its hash covers it. */
export function toRecord(row: AuditRow): AuditRecord {
  const { at, ...rest } = exportRow(row);
  return { ...rest, atMs: Date.parse(at) };
}

/** A row as it is exported: nothing of it is mended or left out, as that could hide what was done to it. */
export function exportRow(row: AuditRow): AuditExportRow {
  return {
    sequence: row.sequence,
    id: row.id,
    at: textOf(row.at),
    event: row.event,
    actor: StoredJson.parse(row.actor),
    requestId: row.request_id,
    grantId: row.grant_id,
    roleId: row.role_id,
    detail: StoredJson.parse(row.detail),
    hash: row.hash,
  };
}

/** The store can be made to hold times that are none: `infinity`. */
function textOf(at: Date): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? String(at) : time.toISOString();
}

/** A row as its readers get it. What is not of its form any more is left out rather than the whole page. */
export function viewAuditRow(row: AuditRow): AuditRowView {
  return {
    ...exportRow(row),
    actor: PersonView.safeParse(row.actor).data ?? null,
    detail: Detail.safeParse(row.detail).data ?? {},
  };
}
