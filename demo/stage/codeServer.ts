import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, delimiter, join } from 'node:path';

import { fillOnce, TOOLS } from './folders.ts';
import { requireCompiler } from './preflight.ts';
import { run } from './processes.ts';

/** npm's `code-server` carries a whole VS Code of this version. */
const CODE_SERVER_VERSION = '4.139.1';

/** A font for code: the browser from npm brings none. */
const FONTS_VERSION = '2.37.3';

/** VS Code's own native parts; the others that it names are for Windows, or have working prebuilds. */
const NATIVE_PARTS = ['@vscode/spdlog', 'node-pty', '@parcel/watcher', '@vscode/native-watchdog'];

/** A VS Code that can be started. */
export interface VscodeInstallation {
  /** The Node program that VS Code's server runs on: the one that runs us. */
  readonly node: string;
  readonly serverMain: string;
  /** A folder of TrueType fonts. */
  readonly fonts: string;
}

/** Installs VS Code once, from npm alone. Takes about a minute the first time and nothing after it. */
export async function installVscode(log: (line: string) => void): Promise<VscodeInstallation> {
  const folder = join(TOOLS, `code-server-${CODE_SERVER_VERSION}`);
  if (!existsSync(folder)) {
    requireCompiler();
    log(`Installing VS Code (code-server ${CODE_SERVER_VERSION} from npm), once.`);
    await fillOnce(folder, async (scratch) => {
      await fetchPackages(scratch);
    });
  }
  return {
    node: process.execPath,
    serverMain: join(folder, 'node_modules/code-server/lib/vscode/out/server-main.js'),
    fonts: join(folder, 'node_modules/dejavu-fonts-ttf/ttf'),
  };
}

async function fetchPackages(folder: string): Promise<void> {
  const nodePackage = `node-${process.platform}-${process.arch}`;
  const dependencies = {
    'code-server': CODE_SERVER_VERSION,
    'dejavu-fonts-ttf': FONTS_VERSION,
    // Brings the headers of the very Node that runs us.
    [nodePackage]: process.versions.node,
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  await npm(folder, ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock']);

  const vscode = join(folder, 'node_modules/code-server/lib/vscode');
  await npm(vscode, ['install', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund']);

  const headers = join(folder, 'node_modules', nodePackage);
  await npm(vscode, ['rebuild', ...NATIVE_PARTS], { npm_config_nodedir: headers });
  for (const part of ['@vscode/spdlog', '@vscode/native-watchdog']) {
    if (!existsSync(join(vscode, 'node_modules', part, 'build/Release'))) {
      throw new Error(`VS Code's ${part} was not compiled. Delete ${TOOLS} and try again.`);
    }
  }
  // The headers' package holds a second copy of Node, which nothing runs.
  await rm(join(headers, 'bin'), { recursive: true, force: true });
}

async function npm(cwd: string, args: readonly string[], extra: NodeJS.ProcessEnv = {}): Promise<void> {
  const cli = process.env['npm_execpath'];
  const [command, first] = cli !== undefined && /\.c?js$/.test(cli) ? [process.execPath, [cli]] : ['npm', []];
  // An npm that runs us has told us about this package: the one it runs in the other folder must not hear of it.
  const inherited = Object.entries(process.env).filter(
    ([key]) =>
      !/^npm_(package|lifecycle|command|config_(local_prefix|ignore_scripts|omit|dry_run))/i.test(key),
  );
  await run({
    name: `npm ${args[0] ?? ''}`,
    command,
    arguments: [...first, ...args],
    cwd,
    env: {
      ...Object.fromEntries(inherited),
      PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
      ...extra,
    },
    timeoutMs: 9 * 60_000,
  });
}
