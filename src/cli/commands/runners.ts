import type { RunnerView } from '../../protocol/runners.ts';
import type { Connection } from '../connection/connect.ts';
import { describeMoment } from '../duration.ts';
import { HAND_OVER } from '../exec/child-environment.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { oneLine, table } from '../table.ts';

/** `oam hand-over`: the code is the answer and nothing else is, so that it can go into a variable. */
export async function handOver(
  grantId: string,
  flags: CommonFlags & { readonly name: string },
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const offered = await connection.client.call('handOver', {
    params: { id: grantId },
    body: { name: flags.name },
    signal: invocation.signals.stop,
  });
  invocation.answer(flags.json ? JSON.stringify(offered) : offered.code);
  invocation.note(
    `Good once, until ${describeMoment(Date.parse(offered.expiresAt), invocation.clock.nowMs())}. Give it to: ${HAND_OVER}=… oam exec -- <command…>`,
  );
}

/** `oam runners` */
export async function runners(
  grantId: string,
  flags: CommonFlags,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const { items } = await connection.client.call('listRunners', {
    params: { id: grantId },
    signal: invocation.signals.stop,
  });
  if (flags.json) {
    invocation.answer(JSON.stringify(items));
    return;
  }
  if (items.length === 0) invocation.answer('No program has taken this access over.');
  else
    for (const line of table(
      ['runner', 'program', 'state', 'since', ''],
      items.map((runner) => rowOf(runner, invocation)),
    ))
      invocation.answer(line);
}

/** `oam end-runner` */
export async function endRunner(
  id: string,
  flags: CommonFlags,
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const ended = await connection.client.call('endRunner', {
    params: { id },
    signal: invocation.signals.stop,
  });
  invocation.answer(flags.json ? JSON.stringify(ended) : `Ended ${oneLine(ended.name)}.`);
}

function rowOf(runner: RunnerView, { clock }: Pick<Invocation, 'clock'>): string[] {
  const since = describeMoment(Date.parse(runner.redeemedAt ?? runner.createdAt), clock.nowMs());
  const end = runner.endedBy === null ? '' : `${runner.endedBy.replaceAll('_', ' ')}`;
  return [runner.id, oneLine(runner.name), runner.state, since, end];
}
