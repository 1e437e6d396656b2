import { type Selectable, sql } from 'kysely';

import { DatabricksError, type ListedToken, type WorkspaceClient } from '../../databricks/index.ts';
import { backoffMs } from '../../domain/backoff.ts';
import { hasCode, OamError } from '../../domain/errors.ts';
import {
  deletedToken,
  leaveToken,
  missedToken,
  type PersonalToken,
  readTokenComment,
  sawToken,
} from '../../domain/personal-token.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { inChange } from '../changes/change.ts';
import type { Workspaces } from '../effects/workspaces.ts';
import type { PersonalTokenTable } from '../store/credential-tables.ts';
import { lockToken, saveToken, type StoredToken, tokenFromRow } from './rows.ts';
import { settleToken, type SettlingParts } from './settle.ts';

/** What removing tokens needs. */
export interface RemovingParts extends SettlingParts {
  /** Undefined where the configuration names no service principal for tokens (any more). */
  readonly workspaces: Workspaces | undefined;
  readonly redactor: Redactor;
  /** The wait before absence is read a second time, in milliseconds. */
  readonly absenceConfirmMs: number;
}

const AT_ONCE = 200;

const CALLS_AT_ONCE = 8;

/** Reads lag behind writes by about a second. */
const READ_AGAIN_MS = SECOND_MS;

/** A replica that stopped in the middle is waited for so long. */
const TURN_MS = 30 * SECOND_MS;

/** After so many failures in a row the removal of a token is an alarm, and goes on. */
const STUCK_AFTER_ATTEMPTS = 6;

/**
 * Deletes tokens that nobody is to hold, and believes it when a list does not show them; gives up what was never
 * answered, and what has come to its end.
 *
 * @returns true where there may be more.
 */
export async function removeDueTokens(parts: RemovingParts): Promise<boolean> {
  const due = await takeDue(parts);
  for (const token of due) if (token.state !== 'leaving') await giveUp(parts, token);
  const byHost = Map.groupBy(due, ({ host }) => host);
  await Promise.all([...byHost].map(([host, tokens]) => removeAt(parts, host, tokens)));
  return due.length === AT_ONCE;
}

/** Taking them moves their next turn, so that replicas share them. */
async function takeDue({ db }: RemovingParts): Promise<StoredToken[]> {
  const { rows } = await sql<Selectable<PersonalTokenTable>>`
    update oam.personal_token set next_attempt_at = oam.now() + ${TURN_MS} * interval '1 millisecond'
    where id in (
      select id from oam.personal_token
      where state <> 'gone' and next_attempt_at <= (select oam.now())
      order by next_attempt_at limit ${AT_ONCE} for update skip locked
    )
    returning *`.execute(db);
  return rows.map(tokenFromRow);
}

async function giveUp(parts: RemovingParts, { id }: StoredToken): Promise<void> {
  await inChange(parts.db, async (change) => {
    const token = await lockToken(change, id);
    const next = leaveToken(token);
    if (next === token) return;
    await saveToken(change, next, { attempts: 0, nextAttemptAtMs: change.nowMs + TURN_MS });
    await parts.debt.record(change, {
      event: 'personal_token.given_up',
      detail: {
        leaseId: token.leaseId,
        token: id,
        because: token.state === 'making' ? 'unanswered' : 'expired',
      },
    });
  });
}

async function removeAt(parts: RemovingParts, host: string, tokens: readonly StoredToken[]): Promise<void> {
  const failures = new Map<string, unknown>();
  const deleted = new Set<string>();
  try {
    const client = clientAt(parts, host);
    let isHeldBack: DatabricksError | undefined;
    await inTurns(tokens, async ({ id, databricksId }) => {
      if (databricksId === undefined) return;
      if (isHeldBack !== undefined) {
        failures.set(id, isHeldBack);
        return;
      }
      try {
        await deleteAt(client, databricksId);
        deleted.add(databricksId);
      } catch (error) {
        failures.set(id, error);
        if (hasCode(error, 'databricks_throttled') && error instanceof DatabricksError) isHeldBack = error;
      }
    });
    if (isHeldBack !== undefined) throw isHeldBack;
    const listed = await client.personalTokens();
    for (const token of tokens) {
      if (failures.has(token.id)) continue;
      await settleToken(parts, token.id, (now, nowMs) => {
        const seen = seenIn(listed, now);
        const known = deleted.has(now.databricksId ?? '') ? deletedToken(now, nowMs) : now;
        const next: PersonalToken =
          seen === undefined ? missedToken(known, nowMs, parts.absenceConfirmMs) : sawToken(known, seen.id);
        return { next, retryAtMs: nowMs + nextLookMs(parts, now, next) };
      });
    }
  } catch (error) {
    for (const { id } of tokens) if (!failures.has(id)) failures.set(id, error);
  }
  for (const [id, error] of failures) await failed(parts, id, error);
}

function clientAt({ workspaces }: RemovingParts, host: string): WorkspaceClient {
  if (workspaces !== undefined) return workspaces.at(host);
  throw new OamError(
    'token_principal_missing',
    "Personal access tokens are to be deleted, and the configuration names no service principal that can: 'databricks.pat'. Name it until they are gone.",
  );
}

async function deleteAt(client: WorkspaceClient, databricksId: string): Promise<void> {
  try {
    await client.deletePersonalToken(databricksId);
  } catch (error) {
    // That it does not exist is what is wanted.
    if (!hasCode(error, 'databricks_not_found')) throw error;
  }
}

function seenIn(listed: readonly ListedToken[], token: PersonalToken): ListedToken | undefined {
  const shown = listed.filter(
    ({ id, comment }) => id === token.databricksId || readTokenComment(comment)?.tokenId === token.id,
  );
  // A token of its mark that is not known yet comes first: it has never been deleted.
  return shown.find(({ id }) => id !== token.databricksId) ?? shown[0];
}

/** How soon there is something to be done or seen, in milliseconds. */
function nextLookMs(parts: RemovingParts, before: StoredToken, next: PersonalToken): number {
  if (next.databricksId !== undefined && next.databricksId !== before.databricksId) return 0;
  if (next.firstAbsentAtMs !== undefined) return parts.absenceConfirmMs;
  const attempt = before.attempts + 1;
  return Math.max(READ_AGAIN_MS * (0.75 + parts.random() / 2), backoffMs(attempt, parts.random()) / 2);
}

async function failed(parts: RemovingParts, tokenId: string, error: unknown): Promise<void> {
  const reason = parts.redactor.redact(error instanceof Error ? error.message : 'unknown');
  const retryAfter = error instanceof DatabricksError ? error.retryAfterSeconds : undefined;
  await inChange(parts.db, async (change) => {
    const token = await lockToken(change, tokenId);
    const attempts = token.attempts + 1;
    const nextAttemptAtMs = change.nowMs + backoffMs(attempts, parts.random(), retryAfter);
    await saveToken(change, token, { attempts, nextAttemptAtMs });
    const told = { token: tokenId, attempts, reason };
    if (attempts !== STUCK_AFTER_ATTEMPTS) {
      parts.logger.warn('A personal access token could not be deleted and will be tried again.', told);
      return;
    }
    parts.logger.error('A personal access token cannot be deleted. It goes on being tried.', told);
    await parts.debt.record(change, {
      event: 'personal_token.stuck',
      detail: { leaseId: token.leaseId, ...told },
    });
  });
}

async function inTurns<T>(things: readonly T[], work: (thing: T) => Promise<void>): Promise<void> {
  const waiting = [...things];
  const worker = async (): Promise<void> => {
    for (let thing = waiting.shift(); thing !== undefined; thing = waiting.shift()) await work(thing);
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, worker));
}
