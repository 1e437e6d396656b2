import type { ReviewVerdict } from '../../domain/review.ts';
import type { Connection } from '../connection/connect.ts';
import { describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { oneLine, table } from '../table.ts';

/** `oam reviews` */
export async function reviews(
  flags: CommonFlags,
  connection: Pick<Connection, 'client' | 'signedIn'>,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const { items, nextCursor } = await connection.client.call('listGrants', {
    query: { scope: 'to_review' },
    signal: invocation.signals.stop,
  });
  if (flags.json) {
    invocation.answer(JSON.stringify(items));
    return;
  }
  if (items.length === 0) {
    invocation.answer('Nothing waits for your review.');
    return;
  }
  const now = invocation.clock.nowMs();
  const rows = items.map((grant) => [
    grant.id,
    grant.state,
    grant.principal.displayName,
    grant.role.id,
    describeMoment(Date.parse(grant.createdAt), now),
    grant.purpose,
  ]);
  for (const line of table(['grant', 'state', 'who', 'role', 'taken', 'purpose'], rows)) {
    invocation.answer(line);
  }
  if (nextCursor !== null) invocation.note('There are more.');
}

/** `oam review` */
export async function review(
  id: string,
  flags: CommonFlags & { readonly verdict: ReviewVerdict; readonly comment: string },
  connection: Pick<Connection, 'client' | 'signedIn'>,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const { verdict, comment } = flags;
  const grant = await connection.client.call('reviewGrant', { params: { id }, body: { verdict, comment } });
  const what = `${grant.role.title} of ${grant.principal.displayName} (grant ${grant.id})`;
  invocation.answer(flags.json ? JSON.stringify(grant) : oneLine(`Reviewed as ${verdict}: ${what}.`));
}
