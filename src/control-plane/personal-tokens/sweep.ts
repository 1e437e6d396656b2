import { sql } from 'kysely';

import type { ListedToken, WorkspaceClient } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import { isOrphan, type PersonalToken, readTokenComment, sawToken } from '../../domain/personal-token.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { inChange } from '../changes/change.ts';
import type { RemovingParts } from './remove.ts';
import { tokenFromRow } from './rows.ts';
import { settleToken } from './settle.ts';

/** What looking for tokens that nobody knows of needs. */
export interface SweepingParts extends RemovingParts {
  readonly catalogue: () => Catalogue;
  /** How often the tokens of a workspace are looked through. */
  readonly everySeconds: number;
}

/**
 * Looks through the tokens of one workspace for those that OAM made and nobody holds, and deletes them: an answer that
 * came after it had been given up, a database that was restored. What others made is left alone.
 *
 * @returns true where another workspace may be due.
 */
export async function sweepTokens(parts: SweepingParts): Promise<boolean> {
  if (parts.workspaces === undefined) return false;
  const host = await nextHost(parts);
  if (host === undefined) return false;
  try {
    await sweep(parts, parts.workspaces.at(host));
  } catch (error) {
    parts.logger.warn('The personal access tokens of a workspace could not be looked through.', {
      host,
      reason: parts.redactor.redact(error instanceof Error ? error.message : 'unknown'),
    });
  }
  return true;
}

/** Taking a workspace moves its next turn, so that replicas share them. */
async function nextHost({ db, catalogue, everySeconds }: SweepingParts): Promise<string | undefined> {
  const { roles, workspaces } = catalogue();
  const names = new Set(roles.flatMap((role) => (role.credential === 'pat' ? [role.workspace] : [])));
  const offered = workspaces.flatMap(({ name, host }) => (names.has(name) ? [host] : []));
  const { rows } = await sql<{ workspace_host: string }>`
    with places as (
      select unnest(${offered}::text[]) as workspace_host
      union select workspace_host from oam.personal_token where state <> 'gone'
    ), next as (
      select places.workspace_host from places left join oam.token_sweep sweep using (workspace_host)
      where sweep.next_look_at is null or sweep.next_look_at <= (select oam.now())
      order by sweep.next_look_at nulls first limit 1
    )
    insert into oam.token_sweep (workspace_host, next_look_at)
      select workspace_host, oam.now() + ${everySeconds} * interval '1 second' from next
    on conflict (workspace_host) do update set next_look_at = excluded.next_look_at
      where token_sweep.next_look_at <= oam.now()
    returning workspace_host`.execute(db);
  return rows[0]?.workspace_host;
}

async function sweep(parts: SweepingParts, client: WorkspaceClient): Promise<void> {
  const { id: principalId } = await client.me();
  const listed = await client.personalTokens();
  // The store is read after the list: whatever is in the list had been committed to before it was made.
  const { epoch } = await parts.db.selectFrom('store').select('epoch').executeTakeFirstOrThrow();
  const known = await knownTokens(parts, listed);
  for (const token of listed) {
    const mark = readTokenComment(token.comment);
    const ours = mark && known.get(mark.tokenId);
    if (mark === undefined || !isOrphan(token, { epoch, principalId }, ours)) continue;
    parts.logger.error('A personal access token that OAM made and nobody holds was found. It is deleted.', {
      host: client.host,
      leaseId: mark.leaseId,
    });
    await inChange(parts.db, (change) =>
      parts.debt.record(change, {
        event: 'personal_token.orphan',
        detail: { host: client.host, leaseId: mark.leaseId, token: mark.tokenId, databricksId: token.id },
      }),
    );
    if (ours?.state === 'gone') {
      await settleToken(parts, ours.id, (now, nowMs) => ({
        next: sawToken(now, token.id),
        retryAtMs: nowMs,
      }));
    } else {
      await remove(client, token.id);
    }
  }
}

async function knownTokens(
  { db }: SweepingParts,
  listed: readonly ListedToken[],
): Promise<ReadonlyMap<string, PersonalToken>> {
  const ids = listed.flatMap(({ comment }) => readTokenComment(comment)?.tokenId ?? []);
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('personal_token')
    .selectAll()
    .where(sql<boolean>`id::text = any(${ids}::text[])`)
    .execute();
  return new Map(rows.map((row) => [row.id, tokenFromRow(row)]));
}

async function remove(client: WorkspaceClient, id: string): Promise<void> {
  try {
    await client.deletePersonalToken(id);
  } catch (error) {
    if (!hasCode(error, 'databricks_not_found')) throw error;
  }
}
