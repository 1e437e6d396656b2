import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { run } from '../../demo/stage/processes.ts';
import { CONTEXT_EXTENSION } from './names.ts';

/** Writes the extension that hands its own context to the tests. Returns its folder. */
export async function writeContextExtension(folder: string): Promise<string> {
  const target = join(folder, 'context-extension');
  const [publisher, name] = CONTEXT_EXTENSION.split('.');
  await mkdir(target, { recursive: true });
  await writeFile(
    join(target, 'package.json'),
    JSON.stringify({
      name,
      publisher,
      version: '1.0.0',
      engines: { vscode: '^1.105.0' },
      main: './extension.cjs',
      activationEvents: [],
      extensionKind: ['workspace'],
      capabilities: { untrustedWorkspaces: { supported: true } },
    }),
  );
  await writeFile(join(target, '.vscodeignore'), '');
  await writeFile(join(target, 'extension.cjs'), 'exports.activate = (context) => context;\n');
  return target;
}

/** The program that packs extensions. */
export function vsceScript(): string {
  return join(dirname(createRequire(import.meta.url).resolve('@vscode/vsce/package.json')), 'vsce');
}

/** The same, packed. */
export async function packContextExtension(folder: string): Promise<string> {
  const vsix = join(folder, 'context-extension.vsix');
  await run({
    name: 'vsce',
    command: process.execPath,
    arguments: [
      ...[vsceScript(), 'package', '--no-dependencies', '--allow-missing-repository', '--skip-license'],
      ...['--out', vsix],
    ],
    cwd: await writeContextExtension(folder),
  });
  return vsix;
}
