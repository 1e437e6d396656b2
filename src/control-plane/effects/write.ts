import { DatabricksError, MEMBERS_AT_ONCE, type WorkspaceClient } from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import type { LiveCore } from '../core.ts';
import type { DueEffect } from './due.ts';
import type { GroupLease } from './group-lease.ts';
import { beginAdditions, type MemberWrite, wasNotBegun, wrote } from './marks.ts';
import { failed } from './outcome.ts';
import type { Pace } from './pace.ts';
import type { OutcomeParts } from './settle.ts';

/** What writing needs. */
export interface WriteParts extends LiveCore, OutcomeParts {
  readonly pace: Pace;
  /** Told of memberships that are about to be given, before they are. */
  readonly giving: (writes: readonly MemberWrite[]) => void;
}

/** A membership that a read has to decide about now. */
export interface Written extends MemberWrite {
  /** Databricks does not know the group, or the member: which of them, the read tells. */
  readonly notFound?: DatabricksError;
}

/**
 * Writes to one group as Databricks lets us, many members in one call. What it does not let through now stays due. Where
 * it refuses a call for many, one of them is the reason: they are written by halves until it is alone.
 *
 * @returns those that a read can decide about now.
 * @throws {OamError} `lease_lost`.
 */
export async function writeMembers(
  parts: WriteParts,
  lease: GroupLease,
  client: WorkspaceClient,
  writes: readonly MemberWrite[],
): Promise<Written[]> {
  const written: Written[] = [];
  const chunks: (readonly MemberWrite[])[] = [];
  for (let start = 0; start < writes.length; start += MEMBERS_AT_ONCE) {
    chunks.push(writes.slice(start, start + MEMBERS_AT_ONCE));
  }
  for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
    if (!parts.pace.take(client.host)) break;
    await lease.confirm();
    const wanted = await begin(parts, chunk);
    const effects = wanted.map(effectOf);
    try {
      await send(lease.group.group_id, client, wanted);
    } catch (error) {
      if (isThrottled(error)) parts.pace.throttled(client.host, error.retryAfterSeconds);
      if (isRefused(error)) {
        // Only who served the group all along may say so: another would have let go what these were to keep.
        await lease.confirm();
        await wasNotBegun(parts, effects);
      }
      if (wanted.length > 1 && (await isAboutOne(error, client, lease.group.group_id))) {
        const half = Math.ceil(wanted.length / 2);
        chunks.unshift(wanted.slice(0, half), wanted.slice(half));
      } else if (error instanceof DatabricksError && hasCode(error, 'databricks_not_found')) {
        written.push(...wanted.map((write) => ({ ...write, notFound: error })));
      } else {
        await failed(parts, effects, error);
      }
      continue;
    }
    parts.pace.passed(client.host);
    await wrote(parts, wanted);
    written.push(...wanted);
  }
  return written;
}

/** Leaves a trace of additions before the call; what has ended meanwhile falls out. Removals are wanted until they are done. */
async function begin(parts: WriteParts, chunk: readonly MemberWrite[]): Promise<readonly MemberWrite[]> {
  if (chunk[0]?.effect.row.kind !== 'add_member') return chunk;
  const begun = new Set(await beginAdditions(parts, chunk.map(effectOf)));
  const wanted = chunk.filter(({ effect }) => begun.has(effect));
  parts.giving(wanted);
  return wanted;
}

async function send(groupId: string, client: WorkspaceClient, chunk: readonly MemberWrite[]): Promise<void> {
  const [first] = chunk;
  if (first === undefined) return;
  const memberIds = [...new Set(chunk.map(({ memberId }) => memberId))];
  const userAgentSuffix =
    chunk.length === 1
      ? `grant/${first.effect.grant.id}`
      : `grant/${first.effect.grant.id}+${chunk.length - 1}`;
  if (first.effect.row.kind === 'remove_member') {
    await client.removeGroupMembers(groupId, memberIds, { userAgentSuffix });
  } else {
    await client.addGroupMembers(groupId, memberIds, { userAgentSuffix });
  }
}

function isThrottled(error: unknown): error is DatabricksError {
  return error instanceof DatabricksError && hasCode(error, 'databricks_throttled');
}

/** True where Databricks said no: then it wrote nothing. After a 5xx, or without an answer, nobody knows. */
function isRefused(error: unknown): error is DatabricksError {
  return error instanceof DatabricksError && error.status >= 400 && error.status < 500;
}

/** True for a refusal that one member of a call is the reason of, and not the group. */
async function isAboutOne(error: unknown, client: WorkspaceClient, groupId: string): Promise<boolean> {
  if (hasCode(error, 'databricks_rejected') || hasCode(error, 'principal_id_malformed')) return true;
  if (!hasCode(error, 'databricks_not_found')) return false;
  try {
    await client.group(groupId);
    return true;
  } catch {
    return false;
  }
}

function effectOf({ effect }: MemberWrite): DueEffect {
  return effect;
}
