/**
 * Bundles the two programs of the package: `dist/extension.cjs` for VS Code and `dist/oam.mjs` for the command
 * line. `node build/bundle.ts [extension|oam]` builds one of them.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { build, type BuildOptions } from 'esbuild';

/** The root of the checkout. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The extension's bundle may weigh this much: it is read at every start of the editor. In bytes. */
export const EXTENSION_MAX_BYTES = 450 * 1024;

const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node22',
  mainFields: ['module', 'main'],
  sourcemap: 'external',
  logLevel: 'warning',
} satisfies BuildOptions;

const programs = {
  extension: {
    ...shared,
    entryPoints: ['src/extension/extension.ts'],
    outfile: 'dist/extension.cjs',
    format: 'cjs',
    external: ['vscode'],
    alias: {
      'mime-types': './build/stand-ins/mime-types.ts',
      debug: './build/stand-ins/debug.ts',
      // The lock makes and removes one folder at a time: it needs no queue of open files.
      'graceful-fs': 'node:fs',
    },
    minify: true,
    // Names in stack traces and in logs are worth their bytes.
    keepNames: true,
  },
  oam: {
    ...shared,
    entryPoints: ['src/cli/main.ts'],
    outfile: 'dist/oam.mjs',
    format: 'esm',
    // The server's packages bring WebAssembly and native parts that look for their own files.
    packages: 'external',
  },
} satisfies Record<string, BuildOptions>;

/** The name of a program. */
export type Program = keyof typeof programs;

/**
 * Bundles one program.
 *
 * @param into The folder that gets it, in its `dist/`; the checkout unless told.
 * @returns The path of the bundle.
 * @throws Error when the extension outgrew {@link EXTENSION_MAX_BYTES}.
 */
export async function bundle(program: Program, into = root): Promise<string> {
  const { outfile } = programs[program];
  const file = path.join(into, outfile);
  await build({ ...programs[program], outfile: file });
  const { size } = await stat(file);
  if (program === 'extension' && size > EXTENSION_MAX_BYTES) {
    throw new Error(`The extension's bundle is too large: ${size} bytes, ${EXTENSION_MAX_BYTES} allowed.`);
  }
  console.log(`${outfile}: ${Math.round(size / 1024)} KiB`);
  return file;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv[2];
  if (asked === undefined) {
    await bundle('extension');
    await bundle('oam');
  } else if (asked === 'extension' || asked === 'oam') {
    await bundle(asked);
  } else {
    console.error('Say what to bundle: extension or oam.');
    process.exitCode = 2;
  }
}
