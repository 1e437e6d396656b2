import type { Command } from 'commander';

import type { CommandParts } from '../command-parts.ts';
import type { CommonFlags } from '../invocation.ts';
import type { InstallFlags, KernelFlags } from './install.ts';

/** `oam kernel …` */
export function addKernelCommands(options: CommandParts): void {
  const { program, invocation, common, connect, exit } = options;
  const kernel = program
    .command('kernel')
    .description('notebook kernels for JupyterLab, nbclient and papermill')
    .enablePositionalOptions();

  which(common(kernel.command('install').description('write a kernel that works with your access')))
    .option('--workspace <name>', 'in this workspace')
    .option('--role <role>', 'as this role, which acts as somebody else, while you hold it')
    .option('--display-name <text>', 'what it is called in menus')
    .option('--python <program>', 'the Python that runs it', 'python3')
    .option('--mlflow', 'point MLflow at the workspace as well')
    .action(async (flags: InstallFlags) => {
      const { installKernel } = await import('./install.ts');
      await installKernel(flags, await connect(flags), invocation);
    });
  which(kernel.command('uninstall').description('remove a kernel of ours')).action(
    async (flags: KernelFlags) => {
      const { uninstallKernel } = await import('./install.ts');
      await uninstallKernel(flags, invocation);
    },
  );
  common(kernel.command('run <command...>', { hidden: true }))
    .description('what a kernel.json starts')
    .requiredOption('--host <host>', "the workspace's origin")
    .option('--role <role>', 'as this role')
    .passThroughOptions()
    .action(async (words: string[], flags: CommonFlags & { host: string; role?: string }) => {
      const [command = '', ...args] = words;
      const { runKernel } = await import('./run.ts');
      const wish = { command, args, host: flags.host, roleId: flags.role };
      exit(await runKernel(wish, (as) => connect(flags, as), invocation));
    });
}

function which(command: Command): Command {
  return command
    .option('--name <name>', 'the name by which programs know it', 'oam')
    .option('--prefix <folder>', "in this Python environment (default: the user's own)");
}
