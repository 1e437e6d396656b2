import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from '../../demo/stage/processes.ts';
import { vsceScript } from './context-extension.ts';

/**
 * Packs an extension that debugs Python as Microsoft's does, under the same type `debugpy`: its adapter is debugpy
 * itself. Nothing of ours and no marketplace is asked.
 */
export async function packDebuggerExtension(folder: string): Promise<string> {
  return pack(
    folder,
    {
      name: 'debugger-stand-in',
      publisher: 'databricks-ml-oam-test',
      activationEvents: ['onDebugResolve:debugpy'],
      contributes: { debuggers: [{ type: 'debugpy', label: 'Python', languages: ['python'] }] },
    },
    `const vscode = require('vscode');
exports.activate = (context) => {
  context.subscriptions.push(
    vscode.debug.registerDebugAdapterDescriptorFactory('debugpy', {
      createDebugAdapterDescriptor: () => new vscode.DebugAdapterExecutable('python', ['-m', 'debugpy.adapter']),
    }),
  );
};
`,
  );
}

/** Packs an extension that does nothing, under the id of another. */
export function packSilentExtension(
  folder: string,
  id: { readonly publisher: string; readonly name: string },
): Promise<string> {
  return pack(folder, { ...id, activationEvents: [] }, 'exports.activate = () => undefined;\n');
}

async function pack(
  folder: string,
  manifest: { readonly name: string; readonly publisher: string; readonly [field: string]: unknown },
  code: string,
): Promise<string> {
  const target = join(folder, `extension-${manifest.name}`);
  await mkdir(target, { recursive: true });
  const common = { version: '1.0.0', engines: { vscode: '^1.105.0' }, main: './extension.cjs' };
  await writeFile(
    join(target, 'package.json'),
    JSON.stringify({ ...common, extensionKind: ['workspace'], ...manifest }),
  );
  await writeFile(join(target, '.vscodeignore'), '');
  await writeFile(join(target, 'extension.cjs'), code);
  const vsix = join(folder, `${manifest.name}.vsix`);
  await run({
    name: 'vsce',
    command: process.execPath,
    arguments: [
      ...[vsceScript(), 'package', '--no-dependencies', '--allow-missing-repository', '--skip-license'],
      ...['--out', vsix],
    ],
    cwd: target,
  });
  return vsix;
}
