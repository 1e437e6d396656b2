import type { Command } from 'commander';

import type { CommandParts } from '../command-parts.ts';
import type { CommonFlags } from '../invocation.ts';
import type { ExportFlags } from './export.ts';
import type { ListFlags } from './list.ts';
import type { VerifyFlags } from './verify.ts';

/** Adds `oam audit …`. */
export function addAuditCommands({ program, invocation, common, connect, exit }: CommandParts): void {
  const audit = program.command('audit').description('the audit trail, for auditors');
  const command = (words: string, description: string): Command =>
    common(audit.command(words).description(description));

  command('list', 'rows of the trail, the newest first')
    .option('--event <name>', 'of this event, or of a family like grant.*')
    .option('--actor <who>', 'by this user name or subject')
    .option('--grant <grant>', 'about this grant')
    .option('--request <request>', 'about this request')
    .option('--role <role>', 'about this role')
    .option('--from <time>', 'not before this time, like 2027-01-15 or 2027-01-15T12:00Z')
    .option('--to <time>', 'before this time')
    .option('--limit <rows>', 'at most so many', '50')
    .action(async (flags: CommonFlags & ListFlags) => {
      const { listTrail } = await import('./list.ts');
      await listTrail(flags, await connect(flags), invocation);
    });
  command('export', 'the whole trail in its order')
    .option('--out <file>', 'into this file rather than to standard output')
    .option('--format <format>', 'ndjson, which can be verified, or ocsf, for a SIEM', 'ndjson')
    .option('--after <sequence>', 'only what is behind this place of the chain', '0')
    .action(async (flags: CommonFlags & ExportFlags) => {
      const { exportTrail } = await import('./export.ts');
      await exportTrail(flags, await connect(flags), invocation);
    });
  command('anchors', "the control plane's own copy of the anchors, one a line").action(
    async (flags: CommonFlags) => {
      const { printAnchors } = await import('./anchors.ts');
      await printAnchors(await connect(flags), invocation);
    },
  );
  command('keys', 'the public keys of the anchors, to be kept where the trail cannot reach').action(
    async (flags: CommonFlags) => {
      const { printKeys } = await import('./anchors.ts');
      await printKeys(await connect(flags), invocation);
    },
  );
  command('verify [file]', 'look for rows that were changed, deleted, moved or cut off; exit code 3 if any')
    .option('--anchors <path...>', 'anchors that are kept elsewhere: files, or folders of them')
    .option('--keys <file>', 'the public keys of the anchors, as a JSON Web Key Set')
    .option('--store <id>', 'the store whose anchors count, where there are some of several')
    .action(async (file: string | undefined, flags: CommonFlags & VerifyFlags) => {
      const { verify } = await import('./verify.ts');
      exit(await verify(file, flags, () => connect(flags), invocation));
    });
}
