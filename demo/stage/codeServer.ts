import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, delimiter, join } from 'node:path';

import { fillOnce, TOOLS } from './folders.ts';
import { MissingPrerequisite, requireCompiler } from './preflight.ts';
import { lastLine, run } from './processes.ts';

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

const FOLDER = join(TOOLS, `code-server-${CODE_SERVER_VERSION}`);

/** Whether {@link installVscode} has nothing to do. */
export const vscodeIsInstalled = (): boolean => existsSync(FOLDER);

/**
 * Installs VS Code once, from npm alone. Takes about a minute the first time and nothing after it.
 *
 * @throws MissingPrerequisite where there is no compiler, or npm cannot fetch it.
 */
export async function installVscode(
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<VscodeInstallation> {
  if (!vscodeIsInstalled()) {
    requireCompiler();
    log(`Installing VS Code (code-server ${CODE_SERVER_VERSION} from npm), once.`);
    await fillOnce(FOLDER, (scratch) => install(scratch, signal));
  }
  return {
    node: process.execPath,
    serverMain: join(FOLDER, 'node_modules/code-server/lib/vscode/out/server-main.js'),
    fonts: join(FOLDER, 'node_modules/dejavu-fonts-ttf/ttf'),
  };
}

async function install(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const nodePackage = `node-${process.platform}-${process.arch}`;
  const dependencies = {
    'code-server': CODE_SERVER_VERSION,
    'dejavu-fonts-ttf': FONTS_VERSION,
    // Brings the headers of the very Node that runs us.
    [nodePackage]: process.versions.node,
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const vscode = join(folder, 'node_modules/code-server/lib/vscode');
  const fetchInto = (where: string, ...more: string[]): Promise<void> =>
    npm(where, ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...more], { signal });
  try {
    await fetchInto(folder, '--no-package-lock');
    await fetchInto(vscode, '--omit=dev');
  } catch (error) {
    signal?.throwIfAborted();
    throw new MissingPrerequisite(
      `VS Code could not be fetched: check that npm reaches its registry, then try again. (${npmReason(error)})`,
    );
  }

  const headers = join(folder, 'node_modules', nodePackage);
  await npm(vscode, ['rebuild', ...NATIVE_PARTS], { env: { npm_config_nodedir: headers }, signal });
  for (const part of ['@vscode/spdlog', '@vscode/native-watchdog']) {
    if (!existsSync(join(vscode, 'node_modules', part, 'build/Release'))) {
      throw new Error(`VS Code's ${part} was not compiled. Delete ${TOOLS} and try again.`);
    }
  }
  // The headers' package holds a second copy of Node, which nothing runs.
  await rm(join(headers, 'bin'), { recursive: true, force: true });
}

/** npm says a code first, then the reason, then much else. */
function npmReason(error: unknown): string {
  const said = error instanceof Error ? error.message.split('\n') : [];
  const reason = said.find((line) => /^npm error (?!code|errno|syscall)/.test(line));
  return reason?.replace('npm error ', '') ?? lastLine(error);
}

async function npm(
  cwd: string,
  args: readonly string[],
  o: { env?: NodeJS.ProcessEnv; signal: AbortSignal | undefined },
): Promise<void> {
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
      ...o.env,
    },
    timeoutMs: 9 * 60_000,
    signal: o.signal,
  });
}
