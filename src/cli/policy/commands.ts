import type { Command } from 'commander';

import { parseMinutes } from '../duration.ts';
import type { CommandParts } from '../command-parts.ts';
import { UsageError } from '../failure.ts';
import type { CommonFlags } from '../invocation.ts';
import type { ExplainFlags } from './explain.ts';
import type { FolderFlags } from './folder-flags.ts';

/** Adds `oam policy …`. None of them talks to a control plane, except to explain what that decided. */
export function addPolicyCommands({ program, invocation, common, connect, exit }: CommandParts): void {
  const policy = program.command('policy').description('policy folders');
  const command = (words: string, description: string): Command =>
    policy.command(words).description(description).option('--json', 'answer in JSON');
  const CONFIG = [
    '--config <file>',
    "the control plane's configuration, which says what roles may be",
  ] as const;

  command('check <folder>', 'check a policy folder as the control plane would')
    .option(...CONFIG)
    .action(async (folder: string, flags: FolderFlags) => {
      const { checkPolicy } = await import('./check.ts');
      await checkPolicy(folder, flags, invocation);
    });
  command(
    'test <folder>',
    'try the cases in tests/*.yaml of a policy folder; exit code 1 if any fails',
  ).action(async (folder: string, flags: FolderFlags) => {
    const { testPolicy } = await import('./test.ts');
    exit((await testPolicy(folder, flags, invocation)) ? 0 : 1);
  });
  common(
    policy
      .command('explain [folder]')
      .description('what a policy says to somebody who asks for a role, or said to a request, and why'),
  )
    .option(...CONFIG)
    .option(
      '--request <request>',
      'a request that the control plane decided, in place of a folder and a role',
    )
    .option('--role <role>', 'the role that is asked for')
    .option('--principal <name>', 'what they are called', 'somebody')
    .option('--duty <duty>', 'their duty')
    .option('--group <group...>', 'groups of the identity provider that they are in')
    .option('--team <team...>', 'teams of the catalogue that they are in')
    .option('--lead <team...>', 'teams of the catalogue that they lead')
    .option('--attribute <name=value...>', 'what else the identity provider says of them')
    .option('--workload <issuer>', 'a workload of this issuer in place of a person')
    .option('--subject <subject>', "the workload's subject", 'somebody')
    .option('--claim <name=value...>', "what else the workload's token says")
    .option('--for <time>', 'for how long, like 30m, 8h or 2d', parseMinutes)
    .option('--held <time>', 'as an extension of access that is held so long by then', parseMinutes)
    .option('--ticket <id>', 'the ticket that it belongs to')
    .option('--purpose <text>', 'what the access is for')
    .option('--hour <hour>', 'at this hour, in UTC', Number)
    .option('--weekday <day>', 'on this weekday: 1 is Monday', Number)
    .option('--verified <callback...>', 'confirmed by these callbacks')
    .option('--break-glass', 'in an emergency')
    .action(
      async (
        folder: string | undefined,
        flags: CommonFlags &
          Omit<ExplainFlags, 'role'> & { readonly role?: string; readonly request?: string },
      ) => {
        const { request, role } = flags;
        if (request !== undefined && folder === undefined && role === undefined) {
          const { explainStoredRequest } = await import('./explain-request.ts');
          await explainStoredRequest(request, flags, await connect(flags), invocation);
        } else if (request === undefined && folder !== undefined && role !== undefined) {
          const { explainPolicy } = await import('./explain.ts');
          await explainPolicy(folder, { ...flags, role }, invocation);
        } else {
          throw new UsageError('Name a folder and a --role, or a --request alone.');
        }
      },
    );
  command('init <folder>', 'write a documented policy with its cases, to start from').action(
    async (folder: string, flags: FolderFlags) => {
      const { initPolicy } = await import('./init.ts');
      await initPolicy(folder, flags, invocation);
    },
  );
}
