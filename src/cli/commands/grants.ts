import { randomUUID } from 'node:crypto';

import type { EpochMs } from '../../domain/time.ts';
import { latestGrant } from '../../protocol/latest-grant.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { Connection } from '../connection/connect.ts';
import { describeDuration, describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { leaseRows } from './leases.ts';
import { oneLine, table } from '../table.ts';
import { untilDecided } from '../waiting.ts';
import { showRequest } from './requests.ts';

/** `oam grants` */
export async function grants(
  flags: CommonFlags & { readonly team?: true; readonly all?: true; readonly leases?: true },
  connection: Pick<Connection, 'client' | 'signedIn'>,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const { items, nextCursor } = await connection.client.call('listGrants', {
    query: { scope: flags.team === true ? 'team' : 'mine', open: flags.all === true ? 'false' : 'true' },
    signal: invocation.signals.stop,
  });
  if (flags.leases === true) {
    await answerLeases(items, flags, connection, invocation);
    return;
  }
  if (flags.json) {
    invocation.answer(JSON.stringify(items));
    return;
  }
  if (items.length === 0) {
    invocation.answer('No access is open. Ask for some with: oam request');
    return;
  }
  const now = invocation.clock.nowMs();
  const rows = items.map((grant) => [
    grant.id,
    grant.state,
    ...(flags.team === true ? [grant.principal.displayName] : []),
    grant.role.id,
    grant.role.workspace.name,
    describeEnd(grant, now),
    grant.trouble ?? (grant.review === null ? '' : `emergency (${grant.review.state}): `) + grant.purpose,
  ]);
  const who = flags.team === true ? ['who'] : [];
  for (const line of table(['grant', 'state', ...who, 'role', 'workspace', 'ends', 'purpose'], rows)) {
    invocation.answer(line);
  }
  if (nextCursor !== null) invocation.note('There are more.');
}

async function answerLeases(
  items: readonly GrantView[],
  flags: CommonFlags,
  connection: Pick<Connection, 'client'>,
  invocation: Invocation,
): Promise<void> {
  const { rows, leases, more } = await leaseRows(items, connection, invocation);
  if (flags.json) {
    invocation.answer(JSON.stringify(leases));
    return;
  }
  if (rows.length === 0) {
    invocation.answer('No credential was issued under this access.');
    return;
  }
  for (const line of table(['grant', 'lease', 'state', ''], rows)) invocation.answer(line);
  if (more) invocation.note('There are more.');
}

/** `oam return` */
export async function giveBack(
  id: string,
  flags: CommonFlags,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const grant = await connection.client.call('returnGrant', { params: { id } });
  invocation.answer(
    flags.json ? JSON.stringify(grant) : `Returned: ${oneLine(grant.role.title)} (grant ${grant.id}).`,
  );
}

/** `oam revoke` */
export async function revoke(
  id: string,
  flags: CommonFlags & { readonly reason: string },
  connection: Pick<Connection, 'client' | 'signedIn'>,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const grant = await connection.client.call('revokeGrant', {
    params: { id },
    body: { reason: flags.reason },
  });
  if (flags.json) {
    invocation.answer(JSON.stringify(grant));
    return;
  }
  const { id: ended, role, principal } = grant;
  invocation.answer(`Revoked: ${oneLine(role.title)} of ${oneLine(principal.displayName)} (grant ${ended}).`);
  // Facts, not hopes: that the membership is gone is known once a read has shown it.
  invocation.note('When its removal was seen is said by: oam grants --team --all');
}

/** `oam extend` */
export async function extend(
  id: string,
  flags: CommonFlags & {
    readonly for?: number;
    readonly purpose?: string;
    readonly ticket?: string;
    readonly wait?: true;
  },
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const { client } = connection;
  const request = await client.call('extendGrant', {
    params: { id },
    body: {
      ...(flags.for !== undefined && { minutes: flags.for }),
      ...(flags.purpose !== undefined && { purpose: flags.purpose }),
      ...(flags.ticket !== undefined && { ticket: flags.ticket }),
    },
    idempotencyKey: randomUUID(),
  });
  if (request.state !== 'approved' && flags.wait !== true) {
    showRequest(request, flags, invocation);
    return;
  }
  if (request.state !== 'approved') invocation.note(`Asked (request ${request.id}); waiting for approval.`);
  const waiting = { client, signal: invocation.signals.stop, note: invocation.note };
  const grantId = request.grantId ?? (await untilDecided(request.id, waiting)).grantId;
  const grant = await latestGrant(client, grantId, invocation.signals.stop);
  if (flags.json) {
    invocation.answer(JSON.stringify(grant));
    return;
  }
  const end = describeEnd(grant, invocation.clock.nowMs());
  invocation.answer(`Extended until ${end}: ${oneLine(grant.role.title)} (grant ${grant.id}).`);
}

function describeRemains({ membershipAbsentAt, outlives }: GrantView, now: EpochMs): string {
  const membership =
    membershipAbsentAt === null
      ? 'membership kept by another access or never there'
      : `membership removed ${describeMoment(Date.parse(membershipAbsentAt), now)}`;
  if (outlives === null || Date.parse(outlives.until) <= now) return membership;
  const until = describeMoment(Date.parse(outlives.until), now);
  return outlives.what === 'right'
    ? `${membership}, a token carries the right until ${until}`
    : `${membership}, a token without the right lasts until ${until}`;
}

function describeEnding({ revocation }: GrantView): string {
  if (revocation === null) return 'ended';
  const by = revocation.by === null ? '' : ` by ${oneLine(revocation.by.displayName)}`;
  return `revoked${by}${revocation.reason === null ? '' : ` (${oneLine(revocation.reason)})`}`;
}

function describeEnd(grant: GrantView, now: EpochMs): string {
  if (grant.endReason === 'extended') return 'extended';
  if (grant.state === 'ended') return `${describeEnding(grant)}, ${describeRemains(grant, now)}`;
  if (grant.state === 'scheduled' && grant.startsAt !== null) {
    return `starts ${describeMoment(Date.parse(grant.startsAt), now)}`;
  }
  if (grant.endsAt === null) return '';
  const endsAtMs = Date.parse(grant.endsAt);
  if (endsAtMs <= now || grant.state !== 'active') return describeMoment(endsAtMs, now);
  return `${describeMoment(endsAtMs, now)} (in ${describeDuration(endsAtMs - now)})`;
}
