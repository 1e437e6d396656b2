import type { Kysely, Selectable } from 'kysely';

import type { RunnerView } from '../../protocol/runners.ts';
import type { Change } from '../changes/change.ts';
import { isId } from '../changes/ids.ts';
import { timestamp } from '../requests/view.ts';
import { toMs } from '../changes/change.ts';
import type { Database } from '../store/tables.ts';
import type { RunnerTable } from '../store/runner-tables.ts';

/** A runner as it is stored. */
export type RunnerRow = Selectable<RunnerTable>;

/** A runner, and when the token expires that it came with. */
export type PresentedRow = RunnerRow & { readonly expires_at: Date | null };

/** Locks a runner, if there is one of this id. */
export async function lockRunner(change: Change, id: string): Promise<RunnerRow | undefined> {
  if (!isId(id)) return undefined;
  return change.trx.selectFrom('runner').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
}

/** The runner whose present or former token this is the hash of. */
export async function findByToken(db: Kysely<Database>, sha256: string): Promise<PresentedRow | undefined> {
  const row = await db
    .selectFrom('runner')
    .selectAll()
    .where((eb) => eb.or([eb('token_sha256', '=', sha256), eb('former_sha256', '=', sha256)]))
    .executeTakeFirst();
  return (
    row && { ...row, expires_at: row.token_sha256 === sha256 ? row.token_expires_at : row.former_expires_at }
  );
}

/** The id of the runner that once had the token of this hash, and has another by now. */
export async function findBySpentToken(db: Kysely<Database>, sha256: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('runner_spent_token')
    .select('runner_id')
    .where('sha256', '=', sha256)
    .executeTakeFirst();
  return row?.runner_id;
}

/** A runner as it is shown. */
export function viewRunner(row: RunnerRow): RunnerView {
  const at = (date: Date | null): string | null => (date === null ? null : timestamp(toMs(date)));
  return {
    id: row.id,
    grantId: row.grant_id,
    state: row.ended_at !== null ? 'ended' : row.redeemed_at === null ? 'offered' : 'running',
    name: row.name,
    createdAt: timestamp(toMs(row.created_at)),
    redeemedAt: at(row.redeemed_at),
    renewedAt: at(row.renewed_at),
    expiresAt: at(row.token_expires_at),
    endedAt: at(row.ended_at),
    endedBy: row.ended_by,
  };
}
