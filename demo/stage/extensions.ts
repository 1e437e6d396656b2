import { cp, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { build } from 'esbuild';

import { ROOT } from './folders.ts';
import { run } from './processes.ts';

/** The extension, packed as it is published. */
export async function packProduct(folder: string): Promise<string> {
  const vsix = join(folder, 'databricks-ml-oam.vsix');
  await ours('build/package.ts', vsix);
  return vsix;
}

/** The extension's bundle in `dist/`, for a VS Code that loads it from the checkout. */
export const bundleProduct = (): Promise<void> => ours('build/bundle.ts', 'extension');

/** The command line's bundle in `dist/`. */
export const bundleCommandLine = (): Promise<void> => ours('build/bundle.ts', 'oam');

/** The extension that starts Python kernels the way the Jupyter extension does. */
export async function packKernelStandIn(folder: string): Promise<string> {
  const source = join(ROOT, 'demo/kernel-extension');
  const scratch = join(folder, 'kernel-extension');
  await mkdir(scratch, { recursive: true });
  for (const file of ['package.json', 'relay.py']) await cp(join(source, file), join(scratch, file));
  await cp(join(ROOT, 'LICENSE'), join(scratch, 'LICENSE'));
  await build({
    entryPoints: [join(source, 'extension.ts')],
    outfile: join(scratch, 'extension.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
    logLevel: 'warning',
  });
  const vsix = join(folder, 'python-kernel-stand-in.vsix');
  const vsce = join(dirname(createRequire(import.meta.url).resolve('@vscode/vsce/package.json')), 'vsce');
  await run({
    name: 'vsce',
    command: process.execPath,
    arguments: [vsce, 'package', '--no-dependencies', '--allow-missing-repository', '--out', vsix],
    cwd: scratch,
  });
  return vsix;
}

async function ours(script: string, argument: string): Promise<void> {
  await run({ name: script, command: process.execPath, arguments: [script, argument], cwd: ROOT });
}
