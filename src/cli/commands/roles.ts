import { describeApprovers } from '../../domain/approvers.ts';
import type { Outlook, RoleView } from '../../protocol/schemas.ts';
import type { Connection } from '../connection/connect.ts';
import { describeDuration } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { minutesToMs } from '../../domain/time.ts';
import { table } from '../table.ts';

/** `oam roles` */
export async function roles(
  connection: Connection,
  flags: CommonFlags,
  invocation: Invocation,
): Promise<void> {
  await connection.signedIn();
  const { items } = await connection.client.call('listRoles', { signal: invocation.signals.stop });
  if (flags.json) {
    invocation.answer(JSON.stringify(items));
    return;
  }
  if (items.length === 0) {
    invocation.answer('There is no role that concerns you. Your team lead knows who writes the catalogue.');
    return;
  }
  const rows = items.map((role) => [
    role.id,
    role.workspace.name,
    role.sensitivity,
    describeDuration(minutesToMs(role.maxMinutes)),
    describeRole(role),
    role.gives,
  ]);
  for (const line of table(['role', 'workspace', 'sensitivity', 'at most', 'if you ask', 'gives'], rows)) {
    invocation.answer(line);
  }
}

function describeRole({ outlook, ifConfirmed }: RoleView): string {
  if (ifConfirmed === undefined) return describeOutlook(outlook);
  const who = ifConfirmed.by.join(' and ');
  return `${describeOutlook(ifConfirmed.outlook)} if ${who} confirms it, else ${describeOutlook(outlook)}`;
}

function describeOutlook(outlook: Outlook): string {
  switch (outlook.kind) {
    case 'granted_at_once':
      return 'granted at once';
    case 'needs_approval':
      return `approved by ${outlook.stages.map(describeApprovers).join(', then ')}`;
    case 'refused':
      return `refused: ${outlook.because.join(' ')}`;
    case 'unavailable':
      return `unavailable: ${outlook.because.join(' ')}`;
  }
}
