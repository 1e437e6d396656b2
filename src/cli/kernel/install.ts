import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { OamError } from '../../domain/errors.ts';
import { hasOwnPath } from '../../domain/role.ts';
import { chooseWorkspace, type Connection } from '../connection/connect.ts';
import { UsageError } from '../failure.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { isOurs, kernelFolder, kernelSpec } from './kernel-spec.ts';

/** Which kernel. */
export interface KernelFlags {
  readonly name: string;
  readonly prefix?: string;
}

/** What `oam kernel install` was asked for. */
export interface InstallFlags extends KernelFlags, CommonFlags {
  readonly displayName?: string;
  readonly workspace?: string;
  readonly role?: string;
  readonly python: string;
  readonly mlflow?: true;
}

/** The helper, in the package. Jupyter needs a file, so it is copied beside the `kernel.json`. */
const SHIPPED_HELPER = 'src/cli/kernel/oam_access.py';
const HELPER = 'oam_access.py';
const SPEC = 'kernel.json';

/**
 * `oam kernel install`: writes a kernel for JupyterLab, nbclient and papermill.
 *
 * @throws {OamError} `kernel_exists`, `bad_kernel_name`, `no_ipykernel`, `unknown_role`; those of `chooseWorkspace`.
 */
export async function installKernel(
  flags: InstallFlags,
  connection: Connection,
  { answer, note, env }: Invocation,
): Promise<void> {
  const folder = kernelFolder(flags.name, flags.prefix, env);
  await assertFree(folder);
  const python = await pythonOf(flags.python);
  const { host, name, roleId } = await placeOf(flags, connection);
  const spec = kernelSpec({
    displayName: flags.displayName ?? `Python (OAM, ${roleId ?? name})`,
    oam: [process.execPath, process.argv[1] ?? 'oam'],
    controlPlaneUrl: connection.url,
    host,
    roleId,
    python,
    helper: join(folder, HELPER),
    keychain: flags.keychain,
    env: environmentOf(flags, env),
  });
  await mkdir(folder, { recursive: true });
  await copyFile(shippedHelper(), join(folder, HELPER));
  await writeFile(join(folder, SPEC), `${JSON.stringify(spec, null, 2)}\n`);
  if (flags.json) {
    answer(JSON.stringify({ name: flags.name.toLowerCase(), folder, host }));
    return;
  }
  answer(`Installed the kernel ${flags.name.toLowerCase()} for ${name}: ${folder}`);
  answer('Pick it in JupyterLab, or run: jupyter execute --kernel_name=' + flags.name.toLowerCase());
  if (!connection.kept) {
    note(
      'oam: This machine has no keychain, so each kernel signs in for itself: it shows the address and the code, in the log of Jupyter and with %oam.',
    );
  }
}

/**
 * `oam kernel uninstall`
 *
 * @throws {OamError} `unknown_kernel`, also for a kernel that is somebody else's; `bad_kernel_name`.
 */
export async function uninstallKernel(flags: KernelFlags, { answer, env }: Invocation): Promise<void> {
  const folder = kernelFolder(flags.name, flags.prefix, env);
  const text = await readFile(join(folder, SPEC), 'utf8').catch(() => undefined);
  if (text === undefined || !isOurs(text)) {
    throw new OamError(
      'unknown_kernel',
      'There is no kernel of OAM with this name. Look with: jupyter kernelspec list',
      {
        detail: folder,
      },
    );
  }
  for (const file of [SPEC, HELPER]) await rm(join(folder, file), { force: true });
  await rm(join(folder, '__pycache__'), { recursive: true, force: true });
  // Something of the person's may lie beside; that stays.
  await rmdir(folder).catch(() => undefined);
  answer(`Removed the kernel ${flags.name.toLowerCase()}. Kernels that run go on.`);
}

async function assertFree(folder: string): Promise<void> {
  const text = await readFile(join(folder, SPEC), 'utf8').catch(() => undefined);
  if (text === undefined ? !existsSync(folder) : isOurs(text)) return;
  throw new OamError('kernel_exists', 'There is another kernel of this name. Choose one with --name.', {
    detail: folder,
  });
}

/** The path of a Python that can be a kernel. */
async function pythonOf(python: string): Promise<string> {
  try {
    const script = 'import sys, ipykernel; print(sys.executable)';
    const { stdout } = await promisify(execFile)(python, ['-c', script], { timeout: 60_000 });
    return stdout.trim();
  } catch (cause) {
    throw new OamError(
      'no_ipykernel',
      'This Python does not start, or has no ipykernel. Install it there with `pip install ipykernel`, or name another with --python.',
      { detail: python, cause },
    );
  }
}

async function placeOf(
  { role: roleId, workspace }: InstallFlags,
  connection: Connection,
): Promise<{ readonly host: string; readonly name: string; readonly roleId: string | undefined }> {
  if (roleId === undefined) {
    const { workspaces } = await connection.configuration();
    return { ...chooseWorkspace(workspaces, workspace), roleId };
  }
  if (workspace !== undefined) throw new UsageError('A role has its own workspace. Leave --workspace out.');
  await connection.signedIn();
  const { items } = await connection.client.call('listRoles');
  const role = items.find(({ id }) => id === roleId);
  if (role === undefined) {
    throw new OamError('unknown_role', 'There is no such role for you.', { detail: roleId });
  }
  if (!hasOwnPath(role.credential)) {
    throw new UsageError(
      'This role works wherever you do, so every kernel has it while you hold it. Leave --role out.',
      roleId,
    );
  }
  return { ...role.workspace, roleId };
}

/** What the kernel needs of the person's environment even where Jupyter was started without it. */
function environmentOf({ mlflow }: InstallFlags, env: Invocation['env']): Record<string, string> {
  const trusted = env['OAM_TRUSTED_WORKSPACE_HOSTS'];
  return {
    ...(trusted !== undefined && trusted !== '' && { OAM_TRUSTED_WORKSPACE_HOSTS: trusted }),
    ...(mlflow && { MLFLOW_TRACKING_URI: 'databricks' }),
  };
}

/** Beside the program, whether it runs from its bundle or from its source. */
function shippedHelper(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, SHIPPED_HELPER)) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, SHIPPED_HELPER);
}
