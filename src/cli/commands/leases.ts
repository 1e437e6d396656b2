import type { EpochMs } from '../../domain/time.ts';
import type { LeaseView } from '../../protocol/leases.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { Connection } from '../connection/connect.ts';
import { describeMoment } from '../duration.ts';
import type { Invocation } from '../invocation.ts';

/** The newest leases of grants, a row for each: grant, lease, state, and what there is to say of its end. */
export async function leaseRows(
  grants: readonly GrantView[],
  { client }: Pick<Connection, 'client'>,
  invocation: Pick<Invocation, 'clock' | 'signals'>,
): Promise<{ readonly rows: string[][]; readonly leases: LeaseView[]; readonly more: boolean }> {
  const pages = await Promise.all(
    grants.map((grant) =>
      client.call('listLeases', { params: { id: grant.id }, signal: invocation.signals.stop }),
    ),
  );
  const leases = pages.flatMap(({ items }) => items);
  const now = invocation.clock.nowMs();
  return {
    leases,
    rows: leases.map((lease) => [lease.grantId, lease.id, describeState(lease), describeEnd(lease, now)]),
    more: pages.some(({ nextCursor }) => nextCursor !== null),
  };
}

function describeState({ state, renewals }: LeaseView): string {
  return renewals === 0 ? state : `${state} (renewed ${renewals === 1 ? 'once' : `${renewals} times`})`;
}

function describeEnd(lease: LeaseView, now: EpochMs): string {
  const moment = (at: string): string => describeMoment(Date.parse(at), now);
  if (lease.revokedAt !== null) return `gone since ${moment(lease.revokedAt)}`;
  if (lease.outlives !== null) {
    return lease.outlives.what === 'right'
      ? `good until ${moment(lease.outlives.until)}, after the end of the access`
      : `lives until ${moment(lease.outlives.until)}, without the right`;
  }
  return lease.state === 'expired'
    ? `expired ${moment(lease.expiresAt)}`
    : `expires ${moment(lease.expiresAt)}`;
}
