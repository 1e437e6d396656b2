import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from '../../demo/stage/processes.ts';
import { vsceScript } from './context-extension.ts';

/**
 * Packs an extension that debugs Python as Microsoft's does, under the same type `debugpy`: its adapter is debugpy
 * itself. Nothing of ours and no marketplace is asked.
 */
export async function packDebuggerExtension(folder: string): Promise<string> {
  const target = join(folder, 'debugger-extension');
  await mkdir(target, { recursive: true });
  await writeFile(
    join(target, 'package.json'),
    JSON.stringify({
      name: 'debugger-stand-in',
      publisher: 'databricks-ml-oam-test',
      version: '1.0.0',
      engines: { vscode: '^1.105.0' },
      main: './extension.cjs',
      activationEvents: ['onDebugResolve:debugpy'],
      extensionKind: ['workspace'],
      contributes: { debuggers: [{ type: 'debugpy', label: 'Python', languages: ['python'] }] },
    }),
  );
  await writeFile(join(target, '.vscodeignore'), '');
  await writeFile(
    join(target, 'extension.cjs'),
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
  const vsix = join(folder, 'debugger-extension.vsix');
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
