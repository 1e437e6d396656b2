import { type EpochMs, minutesToMs } from '../../domain/time.ts';
import type { DelegationView } from '../../protocol/delegations.ts';
import type { Connection } from '../connection/connect.ts';
import { describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { oneLine, table } from '../table.ts';

type Talk = Pick<Connection, 'client' | 'signedIn'>;

/** `oam delegate to` */
export async function nameDelegate(
  person: string,
  flags: CommonFlags & { readonly reason: string; readonly for: number; readonly start?: EpochMs },
  connection: Talk,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const startsAtMs = flags.start ?? invocation.clock.nowMs();
  const named = await connection.client.call('createDelegation', {
    body: {
      delegate: person,
      reason: flags.reason,
      ...(flags.start !== undefined && { startsAt: new Date(startsAtMs).toISOString() }),
      endsAt: new Date(startsAtMs + minutesToMs(flags.for)).toISOString(),
    },
  });
  show(named, flags, invocation);
}

/** `oam delegate list` */
export async function listDelegates(
  flags: CommonFlags & { readonly held?: true; readonly team?: true },
  connection: Talk,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const scope = flags.team === true ? 'team' : flags.held === true ? 'held' : 'given';
  const { items, nextCursor } = await connection.client.call('listDelegations', {
    query: { scope },
    signal: invocation.signals.stop,
  });
  if (flags.json) {
    invocation.answer(JSON.stringify(items));
    return;
  }
  if (items.length === 0) {
    invocation.answer(
      { given: 'You named nobody.', held: 'Nobody named you.', team: 'Nobody is named.' }[scope],
    );
    return;
  }
  const now = invocation.clock.nowMs();
  const rows = items.map((item) => [
    item.id,
    item.state,
    item.delegate.displayName,
    item.delegator.displayName,
    describeMoment(Date.parse(item.startsAt), now),
    describeMoment(Date.parse(item.endsAt), now),
    item.reason,
  ]);
  for (const line of table(['delegation', 'state', 'who decides', 'for', 'from', 'until', 'reason'], rows)) {
    invocation.answer(line);
  }
  if (nextCursor !== null) invocation.note('There are older ones as well.');
}

/** `oam delegate end` */
export async function endDelegation(
  id: string,
  flags: CommonFlags,
  connection: Talk,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  show(await connection.client.call('revokeDelegation', { params: { id } }), flags, invocation);
}

function show(view: DelegationView, flags: CommonFlags, invocation: Invocation): void {
  if (flags.json) {
    invocation.answer(JSON.stringify(view));
    return;
  }
  const now = invocation.clock.nowMs();
  const from = view.state === 'scheduled' ? ` from ${describeMoment(Date.parse(view.startsAt), now)}` : '';
  const who = `${view.delegate.displayName} for ${view.delegator.displayName}`;
  invocation.answer(
    oneLine(
      view.state === 'scheduled' || view.state === 'active'
        ? `Decides: ${who}${from} until ${describeMoment(Date.parse(view.endsAt), now)} (delegation ${view.id}).`
        : `Decides no more: ${who} (delegation ${view.id}).`,
    ),
  );
}
