import { DatabricksError, MEMBERS_AT_ONCE, type WorkspaceClient } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Redactor } from '../../domain/redaction.ts';
import type { EpochMs } from '../../domain/time.ts';
import { WRITE_AGAIN_MS } from './due.ts';
import type { Pace } from './pace.ts';
import type { UpcomingRemoval } from './upcoming.ts';
import type { Workspaces } from './workspaces.ts';

/** A removal that is made without the store: nothing of it is on record yet. */
export interface BlindRemoval {
  readonly removal: UpcomingRemoval;
  writtenAtMs: EpochMs | undefined;
  /** When a read first showed that the member is out, by the store's time as far as it is known. */
  absentAtMs: EpochMs | undefined;
  /** A write was begun whose answer is not known: it may still come about. */
  isInDoubt: boolean;
  /** A write together with others was refused: it is written by itself. */
  isAlone: boolean;
  /** The store may be told of what is not under way. Once that has begun, nothing more is written without it. */
  stage: 'waiting' | 'under_way' | 'handed_over';
}

/** What removing without the store needs. */
export interface BlindParts {
  readonly workspaces: Workspaces;
  readonly logger: Logger;
  readonly redactor: Redactor;
  readonly pace: Pace;
}

const GROUPS_AT_ONCE = 8;

/**
 * Takes due memberships away, as far as Databricks lets us now: one write for the many of a group, and one read of it
 * that tells who is out. What did not come about is left for the next time.
 *
 * @param nowMs tells the store's time.
 * @param onAbsent told of those that were seen to be out.
 */
export async function removeBlindly(
  parts: BlindParts,
  due: readonly BlindRemoval[],
  nowMs: () => EpochMs,
  onAbsent: (seen: readonly BlindRemoval[]) => Promise<void>,
): Promise<void> {
  const open = due.filter(({ stage, absentAtMs }) => stage === 'waiting' && absentAtMs === undefined);
  const groups = [...Map.groupBy(open, ({ removal }) => `${removal.groupId} ${removal.host}`).values()];
  const workers = Array.from({ length: GROUPS_AT_ONCE }, async () => {
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      // The store may be back meanwhile: then whoever works with it knows more.
      const waiting = group.filter(({ stage }) => stage === 'waiting');
      for (const each of waiting) each.stage = 'under_way';
      try {
        await removeFromGroup(parts, waiting, nowMs, onAbsent);
      } finally {
        for (const each of waiting) each.stage = 'waiting';
      }
    }
  });
  await Promise.all(workers);
}

async function removeFromGroup(
  parts: BlindParts,
  group: readonly BlindRemoval[],
  nowMs: () => EpochMs,
  onAbsent: (seen: readonly BlindRemoval[]) => Promise<void>,
): Promise<void> {
  const [first] = group;
  if (first === undefined) return;
  const client = parts.workspaces.at(first.removal.host);
  const { groupId } = first.removal;
  try {
    for (const chunk of chunksOf(group, nowMs())) {
      if (!parts.pace.take(client.host)) break;
      await write(parts, client, groupId, chunk, nowMs);
    }
    const { members } = await client.group(groupId);
    const inside = new Set(members.map(({ value }) => value));
    const seen = group.filter(({ removal }) => !inside.has(removal.memberId));
    for (const each of seen) each.absentAtMs = nowMs();
    await onAbsent(seen);
  } catch (error) {
    parts.logger.warn('A removal without the database did not come about and will be tried again.', {
      group: groupId,
      reason: parts.redactor.redact(error instanceof Error ? error.message : 'unknown'),
    });
  }
}

/** Those that are to be written now: together, or alone where that failed. */
function chunksOf(group: readonly BlindRemoval[], nowMs: EpochMs): BlindRemoval[][] {
  const wanted = group.filter(
    ({ writtenAtMs }) => writtenAtMs === undefined || nowMs - writtenAtMs >= WRITE_AGAIN_MS,
  );
  const together = wanted.filter(({ isAlone }) => !isAlone);
  const chunks = wanted.filter(({ isAlone }) => isAlone).map((each) => [each]);
  for (let start = 0; start < together.length; start += MEMBERS_AT_ONCE) {
    chunks.unshift(together.slice(start, start + MEMBERS_AT_ONCE));
  }
  return chunks;
}

async function write(
  { pace, logger, redactor }: BlindParts,
  client: WorkspaceClient,
  groupId: string,
  chunk: readonly BlindRemoval[],
  nowMs: () => EpochMs,
): Promise<void> {
  for (const each of chunk) each.isInDoubt = true;
  try {
    await client.removeGroupMembers(
      groupId,
      chunk.map(({ removal }) => removal.memberId),
      { userAgentSuffix: `grant/${chunk[0]?.removal.grantIds[0] ?? ''}` },
    );
    pace.passed(client.host);
    for (const each of chunk) Object.assign(each, { writtenAtMs: nowMs(), isInDoubt: false });
  } catch (error) {
    if (error instanceof DatabricksError && error.status >= 400 && error.status < 500) {
      for (const each of chunk) each.isInDoubt = false;
    }
    if (error instanceof DatabricksError && hasCode(error, 'databricks_throttled')) {
      pace.throttled(client.host, error.retryAfterSeconds);
    } else if (chunk.length > 1) {
      for (const each of chunk) each.isAlone = true;
    }
    logger.warn('A removal without the database failed and will be tried again.', {
      group: groupId,
      members: chunk.length,
      reason: redactor.redact(error instanceof Error ? error.message : 'unknown'),
    });
  }
}
