import { homedir } from 'node:os';
import { join } from 'node:path';

import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Invocation } from '../invocation.ts';

/** What a kernel is made of. */
export interface KernelWish {
  readonly displayName: string;
  /** The program that Jupyter starts: `oam` itself, by paths that need no `PATH`. */
  readonly oam: readonly string[];
  readonly controlPlaneUrl: string;
  /** The workspace's origin. */
  readonly host: string;
  /** A role that works on a path of its own; absent for the person's everyday access. */
  readonly roleId: string | undefined;
  readonly python: string;
  /** The helper, which starts the kernel and shows in it what OAM gives. */
  readonly helper: string;
  /** Whether the session comes from the keychain. */
  readonly keychain: boolean;
  readonly env: Readonly<Record<string, string>>;
}

/** The mark by which a kernel of ours is known again. */
const Ours = z.object({ metadata: z.object({ oam: z.object({ host: z.string() }) }) });

/** True for the text of a `kernel.json` that {@link kernelSpec} made. */
export function isOurs(text: string): boolean {
  try {
    return Ours.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

/**
 * The `kernel.json`. Jupyter interrupts such a kernel by a message: a signal would reach `oam` as well as the kernel.
 */
export function kernelSpec(wish: KernelWish): object {
  const keychain = wish.keychain ? [] : ['--no-keychain'];
  const role = wish.roleId === undefined ? [] : ['--role', wish.roleId];
  return {
    argv: [
      ...wish.oam,
      ...['kernel', 'run', ...keychain, '--url', wish.controlPlaneUrl, '--host', wish.host, ...role],
      ...['--', wish.python, wish.helper, '-f', '{connection_file}'],
    ],
    display_name: wish.displayName,
    language: 'python',
    interrupt_mode: 'message',
    env: wish.env,
    metadata: { debugger: true, oam: { host: wish.host, role: wish.roleId ?? null } },
  };
}

/** What Jupyter takes for a kernel's name. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * The folder of a kernel.
 *
 * @param prefix a Python environment's; the user's own data unless given.
 * @throws {OamError} `bad_kernel_name`.
 */
export function kernelFolder(
  name: string,
  prefix: string | undefined,
  env: Invocation['env'],
  platform: NodeJS.Platform = process.platform,
): string {
  if (!NAME.test(name)) {
    throw new OamError(
      'bad_kernel_name',
      "A kernel's name has letters, digits, dots, hyphens and underscores, and begins with a letter or a digit. Choose another.",
      { detail: name },
    );
  }
  const data = prefix === undefined ? userData(env, platform) : join(prefix, 'share', 'jupyter');
  // Jupyter looks names up in lower case.
  return join(data, 'kernels', name.toLowerCase());
}

/** Where Jupyter keeps a user's data: https://docs.jupyter.org/en/stable/use/jupyter-directories.html */
function userData(env: Invocation['env'], platform: NodeJS.Platform): string {
  if (env['JUPYTER_DATA_DIR'] !== undefined && env['JUPYTER_DATA_DIR'] !== '') return env['JUPYTER_DATA_DIR'];
  const home = env['HOME'] ?? homedir();
  switch (platform) {
    case 'win32':
      return join(env['APPDATA'] ?? join(home, 'AppData', 'Roaming'), 'jupyter');
    case 'darwin':
      return join(home, 'Library', 'Jupyter');
    default:
      return join(env['XDG_DATA_HOME'] ?? join(home, '.local', 'share'), 'jupyter');
  }
}
