import type { Command } from 'commander';

import { parseMinutes } from '../duration.ts';
import type { Invocation } from '../invocation.ts';
import type { ExplainFlags } from './explain.ts';

/** What the commands on policy folders are put into. */
export interface PolicyCommandParts {
  readonly program: Command;
  readonly invocation: Invocation;
  /** Says how the process ends. */
  readonly exit: (code: number) => void;
}

/** What the commands on policy folders share. */
export interface FolderFlags {
  readonly json?: true;
  /** The control plane's configuration. */
  readonly config?: string;
}

/** Adds `oam policy …`. None of them talks to a control plane. */
export function addPolicyCommands({ program, invocation, exit }: PolicyCommandParts): void {
  const policy = program.command('policy').description('policy folders');
  const command = (words: string, description: string): Command =>
    policy.command(words).description(description).option('--json', 'answer in JSON');
  const reading = (words: string, description: string): Command =>
    command(words, description).option(
      '--config <file>',
      "the control plane's configuration, which says what roles may be",
    );

  reading('check <folder>', 'check a policy folder as the control plane would').action(
    async (folder: string, flags: FolderFlags) => {
      const { checkPolicy } = await import('./check.ts');
      await checkPolicy(folder, flags, invocation);
    },
  );
  command(
    'test <folder>',
    'try the cases in tests/*.yaml of a policy folder; exit code 1 if any fails',
  ).action(async (folder: string, flags: FolderFlags) => {
    const { testPolicy } = await import('./test.ts');
    exit((await testPolicy(folder, flags, invocation)) ? 0 : 1);
  });
  reading('explain <folder>', 'what the policy says to somebody who asks for a role, and why')
    .requiredOption('--role <role>', 'the role that is asked for')
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
    .action(async (folder: string, flags: ExplainFlags) => {
      const { explainPolicy } = await import('./explain.ts');
      await explainPolicy(folder, flags, invocation);
    });
  command('init <folder>', 'write a documented policy with its cases, to start from').action(
    async (folder: string, flags: FolderFlags) => {
      const { initPolicy } = await import('./init.ts');
      await initPolicy(folder, flags, invocation);
    },
  );
}
