import { globSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

import { ROOT } from '../../demo/stage/folders.ts';
import type { WindowKind } from './names.ts';

const FILES: Readonly<Record<WindowKind, string>> = {
  trusted: 'test/host/*.test.ts',
  restricted: 'test/host/restricted/*.test.ts',
  keychain: 'test/host/keychain/*.test.ts',
};

/**
 * Bundles the tests that run in a window of VS Code, which loads CommonJS. Returns the path for `extensionTestsPath`:
 * inside the extension's folder, so that VS Code takes the suite for a part of it.
 */
export async function bundleHostSuite(window: WindowKind): Promise<string> {
  const files = globSync(FILES[window], { cwd: ROOT }).sort();
  const imports = files.map((file) => `await import('./${file}');`).join('\n');
  const outfile = join(ROOT, 'dist', 'host-suite', `${window}.cjs`);
  await build({
    stdin: {
      contents: `import { runInHost } from './test/host/suite.ts';
export const run = () => runInHost(async () => {\n${imports}\n});`,
      resolveDir: ROOT,
      loader: 'ts',
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    // Mocha is found in the checkout's node_modules, above the bundle.
    external: ['vscode', 'mocha'],
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return outfile;
}
