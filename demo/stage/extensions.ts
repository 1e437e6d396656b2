import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { buildSync } from 'esbuild';

import { ROOT } from './folders.ts';
import { run } from './processes.ts';

/** The extension, packed as it is published. */
export async function packProduct(folder: string, signal?: AbortSignal): Promise<string> {
  const vsix = join(folder, 'databricks-ml-oam.vsix');
  // What it makes on the way lies in the folder too, and goes with it however this ends.
  await ours('build/package.ts', vsix, { env: { ...process.env, TMPDIR: folder }, signal });
  return vsix;
}

/** The extension's bundle in `dist/`, for a VS Code that loads it from the checkout. */
export const bundleProduct = (): Promise<void> => ours('build/bundle.ts', 'extension');

/** The command line's bundle in `dist/`. */
export const bundleCommandLine = (): Promise<void> => ours('build/bundle.ts', 'oam');

/** Builds the extension that starts Python kernels the way the Jupyter extension does. Returns its folder. */
export async function buildKernelStandIn(folder: string): Promise<string> {
  const source = join(ROOT, 'demo/kernel-extension');
  const target = join(folder, 'kernel-extension');
  await mkdir(target, { recursive: true });
  for (const file of ['package.json', 'relay.py']) await cp(join(source, file), join(target, file));
  await cp(join(ROOT, 'LICENSE'), join(target, 'LICENSE'));
  // The other way keeps a process of its own for as long as this one lives.
  buildSync({
    entryPoints: [join(source, 'extension.ts')],
    outfile: join(target, 'extension.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
    logLevel: 'warning',
  });
  return target;
}

/**
 * The same, packed.
 *
 * @param as another id: the Jupyter extension's for the tests of what asks that one for its kernels.
 */
export async function packKernelStandIn(
  folder: string,
  o: {
    readonly signal?: AbortSignal;
    readonly as?: { readonly publisher: string; readonly name: string };
  } = {},
): Promise<string> {
  const { signal, as } = o;
  const built = await buildKernelStandIn(folder);
  if (as !== undefined) {
    const file = join(built, 'package.json');
    const manifest = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    await writeFile(file, JSON.stringify({ ...manifest, ...as }));
  }
  const vsix = join(folder, 'python-kernel-stand-in.vsix');
  const vsce = join(dirname(createRequire(import.meta.url).resolve('@vscode/vsce/package.json')), 'vsce');
  await run({
    name: 'vsce',
    command: process.execPath,
    arguments: [vsce, 'package', '--no-dependencies', '--allow-missing-repository', '--out', vsix],
    cwd: built,
    env: { ...process.env, TMPDIR: folder },
    signal,
  });
  return vsix;
}

async function ours(
  script: string,
  argument: string,
  o: { env?: NodeJS.ProcessEnv; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await run({ name: script, command: process.execPath, arguments: [script, argument], cwd: ROOT, ...o });
}
