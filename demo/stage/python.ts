import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { lock } from 'proper-lockfile';

import { TOOLS } from './folders.ts';
import { MissingPrerequisite, requirePython } from './preflight.ts';
import { lastLine, run } from './processes.ts';

/** A virtual environment with Databricks' Python SDK and what a notebook kernel needs. */
export interface PythonEnvironment {
  /** Put it in front of PATH. */
  readonly bin: string;
  readonly python: string;
  readonly jupyter: string;
}

/** What goes into a virtual environment. */
export interface PythonPackages {
  /** For the line that says what is being installed. */
  readonly name: string;
  /** Path of a requirements file. */
  readonly file: string;
}

const STAGE_PACKAGES: PythonPackages = {
  name: "Databricks' Python SDK and a notebook kernel",
  file: join(dirname(fileURLToPath(import.meta.url)), 'requirements.txt'),
};

/**
 * Makes the virtual environment once.
 *
 * @throws MissingPrerequisite where there is no Python, none that makes virtual environments, or no PyPI.
 */
export async function installPython(
  log: (line: string) => void,
  o: { packages?: PythonPackages; signal?: AbortSignal | undefined } = {},
): Promise<PythonEnvironment> {
  const { packages = STAGE_PACKAGES, signal } = o;
  const python = requirePython();
  const version = await run({ name: python, command: python, arguments: ['-VV'], signal });
  const requirements = await readFile(packages.file, 'utf8');
  const content = createHash('sha256').update(version).update(requirements).digest('hex').slice(0, 12);
  const folder = join(TOOLS, `python-${content}`);
  // Programs in a virtual environment name its path, so it is made where it stays, and marked when it is whole.
  const whole = join(folder, 'whole');
  await mkdir(folder, { recursive: true });
  const unlock = await lock(folder, {
    stale: 15_000,
    retries: { retries: 600, minTimeout: 500, maxTimeout: 500 },
  });
  try {
    if (!existsSync(whole)) {
      log(`Installing ${packages.name} (from PyPI), once.`);
      await rm(join(folder, 'venv'), { recursive: true, force: true });
      await run({ name: 'venv', command: python, arguments: ['-m', 'venv', join(folder, 'venv')], signal });
      await install(join(folder, 'venv/bin/python'), packages, signal);
      await writeFile(whole, '');
    }
  } finally {
    await unlock();
  }
  const bin = join(folder, 'venv/bin');
  return { bin, python: join(bin, 'python'), jupyter: join(bin, 'jupyter') };
}

async function install(
  python: string,
  packages: PythonPackages,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await run({
      name: 'pip',
      command: python,
      arguments: [
        ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input'],
        ...['--requirement', packages.file],
      ],
      timeoutMs: 5 * 60_000,
      signal,
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw new MissingPrerequisite(
      `${packages.name} could not be installed: check that pip reaches PyPI, then try again. (${lastLine(error)})`,
    );
  }
}
