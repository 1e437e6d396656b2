import { randomUUID } from 'node:crypto';

import { describeApprovers } from '../../domain/approvers.ts';
import { OamError } from '../../domain/errors.ts';
import { evidenceSentence, subjectOf } from '../../domain/evidence.ts';
import { type EpochMs, minutesToMs } from '../../domain/time.ts';
import { awaitedStage } from '../../protocol/approvers.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import type { Connection } from '../connection/connect.ts';
import { describeDuration, describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { oneLine, table } from '../table.ts';
import { untilActive, untilDecided, type Waiting } from '../waiting.ts';

/** What `oam request` takes besides the role. */
export interface RequestFlags extends CommonFlags {
  readonly purpose: string;
  readonly ticket?: string;
  /** Minutes; the role's usual window unless given. */
  readonly for?: number;
  /** When access is to begin, in epoch milliseconds; at once unless given. */
  readonly start?: EpochMs;
  readonly breakGlass?: true;
  readonly wait?: true;
}

/** `oam request` */
export async function request(
  roleId: string,
  flags: RequestFlags,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const { client } = connection;
  const body = {
    roleId,
    purpose: flags.purpose,
    ...(flags.ticket !== undefined && { ticket: flags.ticket }),
    ...(flags.start !== undefined && { startsAt: new Date(flags.start).toISOString() }),
    ...(flags.breakGlass === true && { breakGlass: true }),
    minutes: flags.for ?? (await usualMinutes(roleId, connection, invocation)),
  };
  const created = await client.call('createRequest', { body, idempotencyKey: randomUUID() });
  if (flags.wait !== true) {
    showRequest(created, flags, invocation);
    return;
  }
  invocation.note(`${describeState(created)}; waiting (Ctrl-C leaves the request as it is).`);
  const waiting: Waiting = { client, signal: invocation.signals.stop, note: invocation.note };
  const grantId = created.grantId ?? (await untilDecided(created.id, waiting)).grantId;
  const grant = await untilActive(grantId, waiting);
  if (flags.json) {
    invocation.answer(JSON.stringify(grant));
    return;
  }
  const end =
    grant.endsAt === null
      ? ''
      : ` until ${describeMoment(Date.parse(grant.endsAt), invocation.clock.nowMs())}`;
  invocation.answer(`Active${end}: ${oneLine(grant.role.title)} (grant ${grant.id}).`);
}

/** `oam requests` */
export async function requests(
  flags: CommonFlags & { readonly toApprove?: true },
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const scope = flags.toApprove === true ? 'to_approve' : 'mine';
  const { items, nextCursor } = await connection.client.call('listRequests', {
    query: { scope },
    signal: invocation.signals.stop,
  });
  if (flags.json) {
    invocation.answer(JSON.stringify(items));
    return;
  }
  if (items.length === 0) {
    invocation.answer(scope === 'mine' ? 'You have no requests.' : 'Nothing waits for your approval.');
    return;
  }
  const now = invocation.clock.nowMs();
  const rows = items.map((item) => [
    item.id,
    item.state,
    ...(scope === 'mine' ? [] : [item.requester.displayName, item.actingFor?.displayName ?? 'yourself']),
    item.role.id,
    describeDuration(minutesToMs(item.approvedMinutes ?? item.minutes)),
    describeMoment(Date.parse(item.createdAt), now),
    item.purpose,
  ]);
  const who = scope === 'mine' ? [] : ['who', 'decide for'];
  for (const line of table(['request', 'state', ...who, 'role', 'for', 'asked', 'purpose'], rows)) {
    invocation.answer(line);
  }
  if (nextCursor !== null) invocation.note('There are older ones as well.');
}

/** `oam approve` */
export async function approve(
  id: string,
  flags: CommonFlags & { readonly for?: number; readonly comment?: string },
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const seen = await look(id, connection, invocation);
  const decided = await connection.client.call('approveRequest', {
    params: { id },
    version: seen.version,
    body: {
      ...(flags.for !== undefined && { approvedMinutes: flags.for }),
      ...(flags.comment !== undefined && { comment: flags.comment }),
    },
  });
  showRequest(decided, flags, invocation);
}

/** `oam deny` */
export async function deny(
  id: string,
  flags: CommonFlags & { readonly reason: string },
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const seen = await look(id, connection, invocation);
  const decided = await connection.client.call('denyRequest', {
    params: { id },
    version: seen.version,
    body: { reason: flags.reason },
  });
  showRequest(decided, flags, invocation);
}

/** `oam cancel` */
export async function cancel(
  id: string,
  flags: CommonFlags,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  await look(id, connection, invocation);
  const cancelled = await connection.client.call('cancelRequest', { params: { id } });
  showRequest(cancelled, flags, invocation);
}

/** What is being decided is shown beside the decision, so that nobody approves a bare number. */
async function look(id: string, connection: Connection, invocation: Invocation): Promise<RequestView> {
  const seen = await connection.client.call('getRequest', {
    params: { id },
    signal: invocation.signals.stop,
  });
  const length = describeDuration(minutesToMs(seen.minutes));
  invocation.note(
    oneLine(
      seen.extends === null
        ? `${seen.requester.displayName} asks for ${seen.role.title} for ${length}: ${seen.purpose}`
        : `${seen.requester.displayName} asks to keep ${seen.role.title} for ${length} more: ${seen.purpose}`,
    ),
  );
  if (seen.actingFor !== null) invocation.note(oneLine(`You decide for ${seen.actingFor.displayName}.`));
  for (const line of evidenceLines(seen)) invocation.note(line);
  return seen;
}

function evidenceLines({ evidence, ticket }: RequestView): string[] {
  return evidence.map((word) => oneLine(evidenceSentence(word, subjectOf(ticket), word.at)));
}

async function usualMinutes(roleId: string, connection: Connection, invocation: Invocation): Promise<number> {
  const { items } = await connection.client.call('listRoles', { signal: invocation.signals.stop });
  const role = items.find(({ id }) => id === roleId);
  if (role !== undefined) return role.defaultMinutes;
  throw new OamError('unknown_role', 'There is no such role for you.', { detail: roleId });
}

/** Says what has become of a request, and why. */
export function showRequest(view: RequestView, flags: CommonFlags, invocation: Invocation): void {
  invocation.answer(flags.json ? JSON.stringify(view) : `${describeState(view)}.`);
  // What policy said of the request explains a yes or a wait; a person's no explains itself.
  if (flags.json || !['approved', 'pending', 'awaiting_requester'].includes(view.state)) return;
  for (const line of evidenceLines(view)) invocation.answer(`  ${line}`);
  for (const reason of view.because) invocation.answer(`  ${oneLine(reason)}`);
  for (const { approver, onBehalfOf, verdict } of view.approvals) {
    const forWhom = onBehalfOf === null ? '' : ` for ${onBehalfOf.displayName}`;
    invocation.answer(`  ${oneLine(`${verdict} by ${approver.displayName}${forWhom}`)}`);
  }
  const stage = view.state === 'pending' ? awaitedStage(view) : undefined;
  if (stage !== undefined) invocation.answer(`  It waits for ${oneLine(describeApprovers(stage))}.`);
}

function describeState(view: RequestView): string {
  const what = view.extends === null ? '' : 'longer access to ';
  const name = `${what}${oneLine(view.role.title)} (request ${view.id})`;
  switch (view.state) {
    case 'approved':
      return `Approved: ${name}${view.grantId === null ? '' : `, grant ${view.grantId}`}`;
    case 'pending':
      return `Waiting for approval: ${name}`;
    case 'awaiting_requester':
      return `Waiting for the requester to sign in again: ${name}`;
    case 'denied':
      return `Denied: ${name}`;
    case 'cancelled':
      return `Taken back: ${name}`;
    case 'lapsed':
      return `Lapsed: ${name}`;
  }
}
