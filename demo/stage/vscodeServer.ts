import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import type { VscodeInstallation } from './codeServer.ts';
import { run, startProcess, type RunningProcess } from './processes.ts';
import { startVscodeFront, type VscodeFront } from './vscodeFront.ts';

export interface VscodeServerOptions {
  installation: VscodeInstallation;
  /** A fresh folder: VS Code's data, the home folder of its terminals. */
  folder: string;
  port?: number;
  /** Shared by windows on one address, because their cookies are: browsers keep cookies per host, not per port. */
  connectionToken?: string;
  /** Packaged extensions. */
  extensions: readonly string[];
  /** User settings on top of the ones that keep VS Code quiet. */
  settings?: Readonly<Record<string, unknown>>;
  /** Settings of the machine that the server runs on, for those that each machine has for itself. */
  machineSettings?: Readonly<Record<string, unknown>>;
  /** Put in front of PATH, so that terminals and kernels find the programs of the stage. */
  path?: readonly string[];
  /** Added to what VS Code and all that it starts inherit. */
  env?: NodeJS.ProcessEnv;
  /** Only for tests that run inside the extension host; it refuses dialogs and trusts every folder. */
  testDriver?: boolean;
  /** With the test driver: trusts no folder. */
  restricted?: boolean;
  onLine?: (line: string) => void;
  /** Ends a start that is under way. */
  signal?: AbortSignal;
}

/** A VS Code in the browser. */
export interface VscodeServer {
  readonly process: RunningProcess;
  /** The address that opens a folder. `payload` is for the test driver. */
  urlFor(folder: string, payload?: readonly (readonly [string, string])[]): string;
  /** The address by which the page reads a file or folder of the server's. */
  remoteUri(path: string): string;
  /** Ends it with all that runs in it; once, however often it is asked. */
  close(): Promise<void>;
}

/** What keeps a fresh VS Code from talking of itself. */
const QUIET: Readonly<Record<string, unknown>> = {
  'telemetry.telemetryLevel': 'off',
  'workbench.startupEditor': 'none',
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'workbench.tips.enabled': false,
  // A picture of something that fades in shows half of it.
  'workbench.reduceMotion': 'on',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.enableExperiments': false,
  'chat.disableAIFeatures': true,
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.showReleaseNotes': false,
  'git.openRepositoryInParentFolders': 'never',
  // Every address that a program prints would become a forwarded port.
  'remote.autoForwardPorts': false,
  'editor.minimap.enabled': false,
  'editor.fontFamily': "'DejaVu Sans Mono', monospace",
  'terminal.integrated.fontFamily': "'DejaVu Sans Mono', monospace",
  // Text that is drawn as text can be read by people with a screen reader, and by tests.
  'terminal.integrated.gpuAcceleration': 'off',
};

/** Starts VS Code's server on 127.0.0.1 with folders of its own. */
export async function startVscodeServer(options: VscodeServerOptions): Promise<VscodeServer> {
  const { installation } = options;
  const data = join(options.folder, 'vscode');
  const home = join(options.folder, 'home');
  const user = join(data, 'data', 'User');
  await mkdir(user, { recursive: true });
  await mkdir(home, { recursive: true });
  await writeFile(join(home, '.bashrc'), "PS1='\\W \\$ '\n");
  await writeFile(
    join(user, 'settings.json'),
    JSON.stringify({ ...QUIET, ...options.settings }, undefined, 2),
  );

  if (options.machineSettings !== undefined) {
    const machine = join(data, 'data', 'Machine');
    await mkdir(machine, { recursive: true });
    await writeFile(join(machine, 'settings.json'), JSON.stringify(options.machineSettings));
  }

  const env = { ...environment(home, options.path ?? []), ...options.env };
  if (options.extensions.length > 0) {
    await run({
      name: 'Installing the extensions',
      command: installation.node,
      arguments: [
        installation.serverMain,
        ...['--server-data-dir', data],
        ...options.extensions.flatMap((vsix) => ['--install-extension', vsix]),
      ],
      env,
      timeoutMs: 120_000,
      signal: options.signal,
    });
  }

  const token = options.connectionToken ?? randomBytes(16).toString('hex');
  const tokenFile = join(options.folder, 'connection-token');
  await writeFile(tokenFile, token, { mode: 0o600 });
  const socketPath = join(options.folder, 's');
  const server = startProcess({
    name: 'VS Code',
    command: installation.node,
    arguments: [
      installation.serverMain,
      ...['--socket-path', socketPath, '--server-data-dir', data],
      ...['--accept-server-license-terms', '--telemetry-level', 'off', '--force-disable-user-env'],
      ...(options.testDriver === true
        ? [
            ...['--without-connection-token', '--enable-smoke-test-driver'],
            ...(options.restricted === true ? [] : ['--disable-workspace-trust']),
          ]
        : ['--connection-token-file', tokenFile]),
    ],
    env,
    ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
  });
  let front: VscodeFront | undefined;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      await front?.close();
      await server.stop();
    })();
    return closing;
  };
  try {
    await server.waitForLine(/Extension host agent listening on/, 120_000, options.signal);
    front = await startVscodeFront({
      port: options.port ?? 0,
      socketPath,
      connectionToken: options.testDriver === true ? undefined : token,
    });
  } catch (error) {
    await close();
    throw error;
  }
  const authority = `127.0.0.1:${String(front.port)}`;
  return {
    process: server,
    urlFor(folder, payload) {
      const url = new URL(`http://${authority}`);
      if (options.testDriver !== true) url.searchParams.set('tkn', token);
      url.searchParams.set('folder', folder);
      if (payload !== undefined) url.searchParams.set('payload', JSON.stringify(payload));
      return url.href;
    },
    remoteUri: (path) => `vscode-remote://${authority}${path}`,
    close,
  };
}

/**
 * What VS Code and all that it starts inherit. The person's own home, Databricks variables and profiles stay
 * outside: the stage must neither use them nor change them.
 */
function environment(home: string, path: readonly string[]): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([key]) =>
      !/^(DATABRICKS_|MLFLOW_|VSCODE_|OAM_|npm_|NODE_OPTIONS|NODE_COMPILE_CACHE|ELECTRON_|PYTHON|VIRTUAL_ENV|PYENV_)/i.test(
        key,
      ),
  );
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    SHELL: '/bin/bash',
    PATH: [...path, process.env['PATH'] ?? ''].join(delimiter),
  };
}
