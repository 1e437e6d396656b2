import type { ApprovalStage } from '../../domain/role.ts';
import type { EventKind } from '../../protocol/events.ts';
import { audienceText } from '../approvers/audience.ts';
import { type Change, toDate } from '../changes/change.ts';
import { type InsertColumns, insertRows } from '../store/insert-rows.ts';

/** What happened, and whom it concerns. */
export interface Announcement {
  readonly kind: EventKind;
  readonly requestId?: string | undefined;
  readonly grantId?: string | undefined;
  /** Whose request or grant it is. */
  readonly concerns: { readonly iss: string; readonly sub: string };
  /** Those whom these stages are for learn of it too. */
  readonly approvers: readonly ApprovalStage[];
  /** The leads of this team learn of it too. */
  readonly team: string;
}

/** Tells of changes in the change itself. */
export async function announce(change: Change, whats: readonly Announcement[]): Promise<void> {
  await insertRows(
    change.trx,
    'event',
    COLUMNS,
    whats.map((what) => ({
      kind: what.kind,
      at: toDate(change.nowMs),
      request_id: what.requestId ?? null,
      grant_id: what.grantId ?? null,
      iss: what.concerns.iss,
      sub: what.concerns.sub,
      audience: audienceText(what.approvers),
      team: what.team,
    })),
  );
}

const COLUMNS = {
  kind: 'text',
  at: 'timestamptz',
  request_id: 'uuid',
  grant_id: 'uuid',
  iss: 'text',
  sub: 'text',
  audience: 'document',
  team: 'text',
} as const satisfies InsertColumns<string>;
