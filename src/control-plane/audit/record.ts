import type { Insertable } from 'kysely';

import type { AuditEvent } from '../../domain/audit-events.ts';
import { canonicalJson, type Json, type JsonObject } from '../../domain/canonical.ts';
import { OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import type { EpochMs } from '../../domain/time.ts';
import { type Change, toDate } from '../changes/change.ts';
import { type InsertColumns, insertRows } from '../store/insert-rows.ts';
import type { AuditTable } from '../store/audit-tables.ts';
import { storableJson, storableText } from '../store/storable.ts';
import { auditRowId } from './row-id.ts';

/** Somebody as the audit trail names them: as they were called at that moment. */
export type Actor = Pick<Principal, 'iss' | 'sub' | 'userName' | 'displayName'>;

/** One row of the audit trail before it is written. */
export interface AuditEntry {
  readonly event: AuditEvent;
  /** Absent where OAM acted by itself. */
  readonly actor?: Actor | undefined;
  readonly requestId?: string | undefined;
  readonly grantId?: string | undefined;
  readonly roleId?: string | undefined;
  readonly detail?: JsonObject;
}

/** The row of an entry; the id makes a second insert of the same row harmless. */
export function auditRow(entry: AuditEntry, atMs: EpochMs) {
  const { actor } = entry;
  return {
    id: auditRowId(atMs),
    at: toDate(atMs),
    event: entry.event,
    actor:
      actor === undefined
        ? null
        : storable({
            iss: actor.iss,
            sub: actor.sub,
            userName: actor.userName,
            displayName: actor.displayName,
          }),
    request_id: entry.requestId ?? null,
    grant_id: entry.grantId ?? null,
    role_id: entry.roleId === undefined ? null : storableText(entry.roleId),
    detail: storable(entry.detail ?? {}),
    sequence: null,
    hash: null,
  } satisfies Insertable<AuditTable>;
}

/** Canonical JSON that the store can take: names and reasons may hold halves of characters, which it cannot. */
function storable(value: Json): string {
  return canonicalJson(storableJson(value));
}

const COLUMNS = {
  id: 'uuid',
  at: 'timestamptz',
  event: 'text',
  actor: 'document',
  request_id: 'uuid',
  grant_id: 'uuid',
  role_id: 'text',
  detail: 'document',
} as const satisfies InsertColumns<string>;

/** Writes rows in the change that they tell of. Their place in the chain they get later. */
export function insertAuditRows({ trx }: Change, rows: readonly NewAuditRow[]): Promise<void> {
  return insertRows(trx, 'audit', COLUMNS, rows);
}

/** See {@link auditRow}. */
export type NewAuditRow = ReturnType<typeof auditRow>;

/**
 * Writes a row in the change that it tells of: neither is true without the other.
 *
 * @throws {OamError} `audit_unavailable`: whatever the change was, it does not happen.
 */
export async function recordAudit(change: Change, entry: AuditEntry): Promise<void> {
  try {
    await change.trx.insertInto('audit').values(auditRow(entry, change.nowMs)).execute();
  } catch (error) {
    throw new OamError(
      'audit_unavailable',
      'The audit trail cannot be written, so nothing was granted. Try again in a few minutes, and tell your administrator if it stays so.',
      { cause: error },
    );
  }
}
