import { globSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

import { ROOT, TOOLS } from '../../demo/stage/folders.ts';

/** Bundles the tests that run inside VS Code, which loads CommonJS. Returns the path for `extensionTestsPath`. */
export async function bundleHostSuite(): Promise<string> {
  const files = globSync('test/host/**/*.test.ts', { cwd: ROOT }).sort();
  const imports = files.map((file) => `await import('./${file}');`).join('\n');
  const outfile = join(TOOLS, 'host', 'suite.cjs');
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
