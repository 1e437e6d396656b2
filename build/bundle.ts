/**
 * Bundles the two programs of the package: `dist/extension/` for VS Code, with what it does not need to
 * start in files of its own, and `dist/oam.mjs` for the command line. `node build/bundle.ts [extension|oam]` builds one of them.
 */
import { existsSync } from 'node:fs';
import { cp, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';

/** The root of the checkout. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What the extension reads to be activated may weigh this much: it is read at every start of the editor. In bytes. */
export const ACTIVATION_MAX_BYTES = 350 * 1024;

/**
 * VS Code puts proxies and the company's certificates into the modules of the network, where they are asked for by
 * `require`. Modules that `import` gives are Node's own, and would go past all of it.
 */
const networkAsEditorHasIt: Plugin = {
  name: 'network-as-editor-has-it',
  setup(asked) {
    asked.onResolve(
      { filter: /^(?:node:)?(?:http|https|tls|net|undici)$/ },
      ({ path: module, namespace }) => {
        const name = module.replace('node:', '');
        return namespace === 'network'
          ? { path: name, external: true }
          : { path: name, namespace: 'network' };
      },
    );
    asked.onLoad({ filter: /.*/, namespace: 'network' }, ({ path: name }) => ({
      contents: `module.exports = require('${name}');`,
      loader: 'js',
    }));
  },
};

/** What notebook kernels load, in Python. */
const NOTEBOOK_HELPER = 'src/cli/kernel/oam_access.py';

/** Native, so it lies beside the bundle and is loaded when somebody wants their session in the keychain. */
const KEYCHAIN_MODULE = 'keytar';

/**
 * Where the native parts are for: the machines that VS Code is made for, less those without glibc. One package serves
 * all of them: the parts are small, and a package for each machine would have to be built, signed and held nine times.
 * VS Code itself brought this module once and does so no more.
 */
export const KEYCHAIN_MACHINES = [
  'darwin-arm64',
  'darwin-x64',
  'linux-arm',
  'linux-arm64',
  'linux-x64',
  'win32-arm64',
  'win32-x64',
] as const;

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
    entryPoints: { extension: 'src/extension/extension.ts' },
    outdir: 'dist/extension',
    outExtension: { '.js': '.mjs' },
    format: 'esm',
    splitting: true,
    metafile: true,
    external: ['vscode', KEYCHAIN_MODULE],
    plugins: [networkAsEditorHasIt],
    // Some packages are CommonJS, and ask for Node's own modules in its way.
    banner: {
      js: "import{createRequire as createRequireHere}from'node:module';const require=createRequireHere(import.meta.url);",
    },
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
 * @throws Error when the extension outgrew {@link ACTIVATION_MAX_BYTES}.
 */
export async function bundle(program: Program, into = root): Promise<string> {
  if (program === 'oam') {
    const file = path.join(into, programs.oam.outfile);
    await build({ ...programs.oam, outfile: file });
    console.log(`${programs.oam.outfile}: ${kibibytes((await stat(file)).size)}`);
    return file;
  }
  const folder = path.join(into, programs.extension.outdir);
  // Files of an earlier bundle have other names, and would be packed with this one's.
  await rm(folder, { recursive: true, force: true });
  const { metafile } = await build({ ...programs.extension, outdir: folder });
  const file = path.join(folder, 'extension.mjs');
  const read = readAtActivation(metafile, path.relative(root, file));
  const bytes = read.reduce((sum, output) => sum + (metafile.outputs[output]?.bytes ?? 0), 0);
  if (bytes > ACTIVATION_MAX_BYTES) {
    throw new Error(
      `The extension reads too much to start: ${bytes} bytes, ${ACTIVATION_MAX_BYTES} allowed.`,
    );
  }
  const all = Object.entries(metafile.outputs).filter(([output]) => output.endsWith('.mjs'));
  const total = all.reduce((sum, [, output]) => sum + output.bytes, 0);
  await addKeychain(folder);
  // In a folder of its own: Python looks through all of it.
  await cp(path.join(root, NOTEBOOK_HELPER), path.join(folder, 'notebook', path.basename(NOTEBOOK_HELPER)));
  console.log(`${programs.extension.outdir}: ${kibibytes(bytes)} to start, ${kibibytes(total)} in all`);
  return file;
}

/** Puts the keychain's module where the bundle finds it, as its package has it, with the native parts that are needed. */
async function addKeychain(folder: string): Promise<void> {
  const source = path.join(root, 'node_modules', KEYCHAIN_MODULE);
  if (!existsSync(source)) {
    console.log(`${KEYCHAIN_MODULE} is not installed: this bundle knows no keychain.`);
    return;
  }
  const target = path.join(folder, 'node_modules', KEYCHAIN_MODULE);
  const parts = KEYCHAIN_MACHINES.map((machine) => path.join('prebuilds', machine, 'keytar.node'));
  for (const file of ['package.json', 'LICENSE.md', path.join('lib', 'keytar.js'), ...parts]) {
    await cp(path.join(source, file), path.join(target, file));
  }
}

/** The entry and everything that it imports before it runs. */
function readAtActivation({ outputs }: Metafile, entry: string): string[] {
  const found = new Set<string>();
  const follow = (output: string): void => {
    if (found.has(output)) return;
    found.add(output);
    for (const { kind, path: imported } of outputs[output]?.imports ?? []) {
      if (kind === 'import-statement' && imported in outputs) follow(imported);
    }
  };
  follow(entry);
  return [...found];
}

function kibibytes(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
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
