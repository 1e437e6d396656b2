/** Packs the extension: `node build/package.ts [file.vsix]`. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { createVSIX } from '@vscode/vsce';

import { bundle, root } from './bundle.ts';

/** What the package may hold: the entries of `.vscodeignore` that begin with `!`. */
export async function packagedPatterns(): Promise<string[]> {
  const lines = (await readFile(path.join(root, '.vscodeignore'), 'utf8')).split('\n');
  return lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1).trim());
}

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
  // Packed from a copy: the packer would look through everything that lies in the checkout, editors and Pythons too.
  const folder = await mkdtemp(path.join(tmpdir(), 'oam-package-'));
  try {
    // What is bundled goes right into the copy: others may be packing from the same checkout.
    const patterns = (await packagedPatterns()).filter((pattern) => !pattern.startsWith('dist/'));
    for (const pattern of ['.vscodeignore', ...patterns]) await copyMatching(pattern, folder);
    await bundle('extension', folder);
    await createVSIX({
      cwd: folder,
      packagePath: vsix,
      // Everything that runs is in the bundle.
      dependencies: false,
      allowMissingRepository: true,
      rewriteRelativeLinks: false,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return vsix;
}

async function copyMatching(pattern: string, target: string): Promise<void> {
  const [folder, name] = [path.dirname(pattern), path.basename(pattern)];
  const source = path.join(root, folder);
  const names = name.startsWith('*.')
    ? (await readdir(source)).filter((candidate) => candidate.endsWith(name.slice(1)))
    : [name].filter((candidate) => existsSync(path.join(source, candidate)));
  for (const file of names) await cp(path.join(source, file), path.join(target, folder, file));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv[2];
  await packageExtension(asked === undefined ? undefined : path.resolve(asked));
}
