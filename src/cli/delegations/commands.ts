import type { Command } from 'commander';

import type { EpochMs } from '../../domain/time.ts';
import type { CommandParts } from '../command-parts.ts';
import { parseMinutes, parseMoment } from '../duration.ts';
import type { CommonFlags } from '../invocation.ts';

/** Adds `oam delegate …`. */
export function addDelegationCommands({
  program,
  invocation,
  common,
  connect,
}: Omit<CommandParts, 'exit'>): void {
  const delegate = program
    .command('delegate')
    .description('who decides on requests for somebody else, for a time');
  const command = (words: string, description: string): Command =>
    common(delegate.command(words).description(description));

  command('to <person>', 'let somebody decide for you, by their user name')
    .requiredOption('--reason <text>', 'why, for both of you and the record')
    .requiredOption('--for <time>', 'for how long, like 8h or 14d; 30d at most', parseMinutes)
    .option('--start <moment>', 'begin later, like 2026-12-01T09:00 or +2h', (text) =>
      parseMoment(text, invocation.clock.nowMs()),
    )
    .action(async (person: string, flags: CommonFlags & { reason: string; for: number; start?: EpochMs }) => {
      const { nameDelegate } = await import('./delegate.ts');
      await nameDelegate(person, flags, await connect(flags), invocation);
    });
  command('list', 'whom you named')
    .option('--held', 'who named you instead')
    .option('--team', 'who named whom in the teams that you lead instead')
    .action(async (flags: CommonFlags & { held?: true; team?: true }) => {
      const { listDelegates } = await import('./delegate.ts');
      await listDelegates(flags, await connect(flags), invocation);
    });
  command(
    'end <delegation>',
    'let it end now: yours, one that you hold, or one of a team that you lead',
  ).action(async (id: string, flags: CommonFlags) => {
    const { endDelegation } = await import('./delegate.ts');
    await endDelegation(id, flags, await connect(flags), invocation);
  });
}
