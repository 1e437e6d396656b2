/** Packs the extension: `node build/package.ts [file.vsix]`. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { createVSIX } from '@vscode/vsce';

import { bundle, root } from './bundle.ts';

/**
 * Bundles and packs the extension.
 *
 * @param vsix Where to put the package; `dist/databricks-ml-oam.vsix` unless told.
 * @returns The absolute path of the package.
 */
export async function packageExtension(
  vsix = path.join(root, 'dist', 'databricks-ml-oam.vsix'),
): Promise<string> {
  await mkdir(path.dirname(vsix), { recursive: true });
  await bundle('extension');
  await createVSIX({
    cwd: root,
    packagePath: vsix,
    // Everything that runs is in the bundle.
    dependencies: false,
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
  });
  return vsix;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv[2];
  await packageExtension(asked === undefined ? undefined : path.resolve(asked));
}
