import { Command, CommanderError, Option } from 'commander';

import { REVIEW_VERDICTS, type ReviewVerdict } from '../domain/review.ts';
import { addDelegationCommands } from './delegations/commands.ts';
import { addAuditCommands } from './audit/commands.ts';
import type { Connection } from './connection/connect.ts';
import { parseMinutes, parseMoment } from './duration.ts';
import type { CommonFlags, Invocation } from './invocation.ts';
import { addKernelCommands } from './kernel/commands.ts';
import { addPolicyCommands } from './policy/commands.ts';

interface PersonFlags {
  readonly purpose?: string;
  readonly ticket?: string;
  readonly for?: number;
}

/**
 * Runs one command line. Each command loads what it needs when it runs, so that none waits for the others' parts.
 *
 * @param argv the words after the program's name.
 * @returns the exit code; a failure of the command itself is thrown.
 * @throws {UsageError} when the words make no command.
 */
export async function runCommandLine(
  argv: readonly string[],
  invocation: Invocation,
  version: string,
): Promise<number> {
  let exitCode = 0;
  const program = new Command('oam')
    .description('Just-in-time access to Databricks ML assets.')
    .version(version)
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(see: oam --help)')
    .configureOutput({
      writeOut: (text) => {
        invocation.answer(text.trimEnd());
      },
      writeErr: (text) => {
        invocation.note(text.trimEnd().replace(/^error: /, 'oam: '));
      },
    });

  const command = (words: string, description: string): Command =>
    common(program.command(words).description(description));

  /** Runs a command that talks to the control plane. */
  const talk = async (flags: CommonFlags, action: (connection: Connection) => Promise<void>) => {
    await action(await connect(flags));
  };
  const connect = async (flags: CommonFlags, as: Invocation = invocation): Promise<Connection> => {
    const { connect: open } = await import('./connection/connect.ts');
    return open(as, flags);
  };

  command('login', 'sign in, and keep the session in the keychain')
    .option('--workspace <name>', 'to Databricks in this workspace too, where it wants a sign-in of its own')
    .action((flags: CommonFlags & { workspace?: string }) =>
      talk(flags, async (connection) => {
        const { login } = await import('./commands/sign-in.ts');
        await login(flags, connection, invocation);
      }),
    );
  command('logout', 'sign out, here and at the identity provider').action((flags: CommonFlags) =>
    talk(flags, async (connection) => {
      const { logout } = await import('./commands/sign-in.ts');
      await logout(connection, invocation);
    }),
  );
  command('status', 'who is signed in, and where').action((flags: CommonFlags) =>
    talk(flags, async (connection) => {
      const { status } = await import('./commands/sign-in.ts');
      await status(connection, flags, invocation);
    }),
  );
  command('roles', 'the roles that you may ask for').action((flags: CommonFlags) =>
    talk(flags, async (connection) => {
      const { roles } = await import('./commands/roles.ts');
      await roles(connection, flags, invocation);
    }),
  );

  window(command('request <role>', 'ask for a role'), true)
    .option('--start <moment>', 'begin later, like 14:30, 2026-12-01T09:00 or +2h', (text) =>
      parseMoment(text, invocation.clock.nowMs()),
    )
    .option('--break-glass', 'in an emergency: at once, told to everybody, and reviewed afterwards')
    .option('--wait', 'wait until it is decided and active')
    .action(
      (
        role: string,
        flags: CommonFlags &
          PersonFlags & { purpose: string; start?: number; breakGlass?: true; wait?: true },
      ) =>
        talk(flags, async (connection) => {
          const { request } = await import('./commands/requests.ts');
          await request(role, flags, connection, invocation);
        }),
    );
  command('requests', 'your requests')
    .option('--to-approve', 'those that wait for your approval instead')
    .action((flags: CommonFlags & { toApprove?: true }) =>
      talk(flags, async (connection) => {
        const { requests } = await import('./commands/requests.ts');
        await requests(flags, connection, invocation);
      }),
    );
  command('approve <request>', 'approve a request')
    .option('--for <time>', 'for less time than was asked, like 30m or 2h', parseMinutes)
    .option('--comment <text>', 'a word to the requester')
    .action((id: string, flags: CommonFlags & { for?: number; comment?: string }) =>
      talk(flags, async (connection) => {
        const { approve } = await import('./commands/requests.ts');
        await approve(id, flags, connection, invocation);
      }),
    );
  command('deny <request>', 'deny a request')
    .requiredOption('--reason <text>', 'why, for the requester and the record')
    .action((id: string, flags: CommonFlags & { reason: string }) =>
      talk(flags, async (connection) => {
        const { deny } = await import('./commands/requests.ts');
        await deny(id, flags, connection, invocation);
      }),
    );
  command('cancel <request>', 'take your own request back').action((id: string, flags: CommonFlags) =>
    talk(flags, async (connection) => {
      const { cancel } = await import('./commands/requests.ts');
      await cancel(id, flags, connection, invocation);
    }),
  );

  command('grants', 'the access that you hold')
    .alias('list')
    .option('--team', 'that of the teams that you lead instead')
    .option('--all', 'with what has ended')
    .option('--leases', 'the credentials that were issued under it')
    .action((flags: CommonFlags & { team?: true; all?: true; leases?: true }) =>
      talk(flags, async (connection) => {
        const { grants } = await import('./commands/grants.ts');
        await grants(flags, connection, invocation);
      }),
    );
  command('return <grant>', 'give access back early').action((id: string, flags: CommonFlags) =>
    talk(flags, async (connection) => {
      const { giveBack } = await import('./commands/grants.ts');
      await giveBack(id, flags, connection, invocation);
    }),
  );
  command('revoke <grant>', "end somebody's access, as a lead of its team")
    .requiredOption('--reason <text>', 'why, for the holder and the record')
    .action((id: string, flags: CommonFlags & { reason: string }) =>
      talk(flags, async (connection) => {
        const { revoke } = await import('./commands/grants.ts');
        await revoke(id, flags, connection, invocation);
      }),
    );
  command('reviews', 'emergency access that waits for your review').action((flags: CommonFlags) =>
    talk(flags, async (connection) => {
      const { reviews } = await import('./commands/reviews.ts');
      await reviews(flags, connection, invocation);
    }),
  );
  command('review <grant>', 'say what is to be thought of an emergency access')
    .addOption(
      new Option('--verdict <verdict>', 'your finding').choices([...REVIEW_VERDICTS]).makeOptionMandatory(),
    )
    .requiredOption('--comment <text>', 'why, for the record')
    .action((id: string, flags: CommonFlags & { verdict: ReviewVerdict; comment: string }) =>
      talk(flags, async (connection) => {
        const { review } = await import('./commands/reviews.ts');
        await review(id, flags, connection, invocation);
      }),
    );
  command('extend <grant>', 'keep access for longer, without a gap')
    .option(
      '--for <time>',
      'by how much, like 30m or 2h (default: the usual window, as far as it fits)',
      parseMinutes,
    )
    .option('--purpose <text>', 'what it is needed for, if something else than before')
    .option('--ticket <id>', 'the ticket that it belongs to, if another than before')
    .option('--wait', 'wait until it is decided')
    .action((id: string, flags: CommonFlags & PersonFlags & { wait?: true }) =>
      talk(flags, async (connection) => {
        const { extend } = await import('./commands/grants.ts');
        await extend(id, flags, connection, invocation);
      }),
    );

  window(command('exec <command...>', 'run a program that has access while it runs'), false)
    .usage('[options] -- <command...>')
    .option('--role <role>', 'with this role, asked for if you do not hold it')
    .option('--workspace <name>', 'in this workspace, as yourself')
    .option(
      '--file-oidc',
      'with your sign-in in a file, for a program that speaks no metadata service (Java, new SDKs): read docs/credentials.md first',
    )
    .option('--clean', 'outside of OAM: without its pointers, with your own profiles and no sign-in')
    .passThroughOptions()
    .action(
      async (
        words: string[],
        flags: CommonFlags &
          PersonFlags & { role?: string; workspace?: string; fileOidc?: true; clean?: true },
      ) => {
        const [program = '', ...args] = words;
        const wish = { purpose: flags.purpose, ticket: flags.ticket, minutes: flags.for };
        const place = { roleId: flags.role, workspace: flags.workspace };
        const options = { command: program, args, ...wish, ...place, fileOidc: flags.fileOidc === true };
        if (flags.clean === true) {
          const { execClean } = await import('./exec/clean.ts');
          exitCode = await execClean(options, invocation);
          return;
        }
        const { workloadIdentity } = await import('./workload/identity.ts');
        const identity = workloadIdentity(invocation.env, invocation.transport);
        if (identity !== undefined && (invocation.env['OAM_HAND_OVER'] ?? '') === '') {
          const { execAsWorkload } = await import('./workload/exec.ts');
          exitCode = await execAsWorkload(options, flags, identity, invocation);
          return;
        }
        await talk(flags, async (connection) => {
          const { exec } = await import('./exec/exec.ts');
          exitCode = await exec(options, connection, invocation);
        });
      },
    );
  command('hand-over <grant>', 'a code with which another program takes your access over, once')
    .option('--name <name>', 'what the program is called in lists', 'a program')
    .action((id: string, flags: CommonFlags & { name: string }) =>
      talk(flags, async (connection) => {
        const { handOver } = await import('./commands/runners.ts');
        await handOver(id, flags, connection, invocation);
      }),
    );
  command('runners <grant>', 'the programs that took an access over').action(
    (id: string, flags: CommonFlags) =>
      talk(flags, async (connection) => {
        const { runners } = await import('./commands/runners.ts');
        await runners(id, flags, connection, invocation);
      }),
  );
  command('end-runner <runner>', 'end a program that took an access over').action(
    (id: string, flags: CommonFlags) =>
      talk(flags, async (connection) => {
        const { endRunner } = await import('./commands/runners.ts');
        await endRunner(id, flags, connection, invocation);
      }),
  );
  command('token', 'show a Databricks token, for tools that take nothing else')
    .option('--workspace <name>', 'your own, for this workspace')
    .option('--grant <grant>', 'that of a role that has a path of its own, by its grant')
    .action((flags: CommonFlags & { workspace?: string; grant?: string }) =>
      talk(flags, async (connection) => {
        const { token } = await import('./commands/token.ts');
        await token(flags, connection, invocation);
      }),
    );

  const issuer = program.command('issuer').description('the keys that OAM signs with');
  common(issuer.command('show').description('the keys, and when they change')).action((flags: CommonFlags) =>
    talk(flags, async (connection) => {
      const { showIssuer } = await import('./commands/issuer.ts');
      await showIssuer(flags, connection, invocation);
    }),
  );
  common(
    issuer.command('policy <role>').description('the federation policy to register in Databricks'),
  ).action((role: string, flags: CommonFlags) =>
    talk(flags, async (connection) => {
      const { showFederationPolicy } = await import('./commands/issuer.ts');
      await showFederationPolicy(role, connection, invocation);
    }),
  );
  common(issuer.command('rotate').description('publish a new key, which signs once it is known'))
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--policies-updated', 'the federation policies have the new key: let it sign')
    .option('--compromised', 'strangers may have the keys: trust none of them any more')
    .action((flags: CommonFlags & { reason: string; policiesUpdated?: true; compromised?: true }) =>
      talk(flags, async (connection) => {
        const { rotateIssuer } = await import('./commands/issuer.ts');
        await rotateIssuer(flags, connection, invocation);
      }),
    );

  addDelegationCommands({ program, invocation, common, connect });
  const exit = (code: number): void => {
    exitCode = code;
  };
  addAuditCommands({ program, invocation, common, connect, exit });
  addKernelCommands({ program, invocation, common, connect, exit });
  addPolicyCommands({ program, invocation, common, connect, exit });
  program
    .command('serve')
    .description('run the control plane')
    .requiredOption('--config <file>', 'its configuration, in YAML')
    .option('--signing-keys-lost', 'replace signing keys that cannot be unsealed')
    .action(async (flags: { config: string; signingKeysLost?: true }) => {
      const { serve } = await import('./commands/serve.ts');
      await serve(flags.config, { signingKeysLost: flags.signingKeysLost === true }, invocation);
    });

  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version were asked for; everything else has been said by now, beside the way to the help.
    exitCode = ['commander.helpDisplayed', 'commander.version'].includes(error.code) ? 0 : 2;
  }
  return exitCode;
}

function common(command: Command): Command {
  return command
    .option('--url <url>', 'the control plane (default: $OAM_URL)')
    .option('--json', 'answer in JSON')
    .option('--no-keychain', 'keep no session, and use none that is kept')
    .option('--accept-change', 'agree to what the control plane says anew of sign-in and workspaces');
}

function window(command: Command, purposeNeeded: boolean): Command {
  const purpose = ['--purpose <text>', 'what the access is for'] as const;
  return (purposeNeeded ? command.requiredOption(...purpose) : command.option(...purpose))
    .option('--ticket <id>', 'the ticket that it belongs to')
    .option('--for <time>', 'for how long, like 30m, 8h or 2d', parseMinutes);
}
