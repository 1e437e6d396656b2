import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ROOT } from './folders.ts';
import { startProcess, type RunningProcess } from './processes.ts';

export interface ControlPlaneOptions {
  /** A fresh folder for the configuration and the database. */
  readonly folder: string;
  readonly port?: number;
  readonly identity: {
    readonly issuer: string;
    readonly clientId: string;
    readonly audience: string;
    readonly scopes: readonly string[];
  };
  /** The Databricks account, and OAM's own service principal in it. */
  readonly databricks: {
    readonly accountId: string;
    readonly applicationId: string;
    readonly secret: string;
    /** The one that makes personal access tokens. */
    readonly pat?: { readonly applicationId: string; readonly secret: string };
    /** The one that reads what leads look at. */
    readonly reader?: { readonly applicationId: string; readonly secret: string };
  };
  /** With the demo's catalogue and rules, or what became of a copy of them. */
  readonly policyFolder: string;
  /** The hosts that the demo's catalogue names. */
  readonly workspaces: { readonly prod: string; readonly dev: string };
  /** The wait before the absence of a member is read a second time. */
  readonly absenceConfirmMs?: number;
  /** More of the configuration, by its sections. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** The section `notices`, and the variables that it names. */
  readonly notices?: { readonly section: object; readonly environment: Readonly<Record<string, string>> };
  readonly onLine?: (line: string) => void;
  /** Ends a start that is under way, and what it has started. */
  readonly signal?: AbortSignal;
}

/** `oam serve` in a process of its own. */
export interface RunningControlPlane {
  readonly url: string;
  /** The process now; another one after {@link restart}. */
  process(): RunningProcess;
  /** Ends it without a word, as a power failure does, and leaves its database as it lies. */
  kill(): Promise<void>;
  /** Lets it answer nobody, as a machine that is overloaded, until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Starts it again on the same address and the same data. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;

/** Starts the control plane and waits until it says that it is ready. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const file = join(options.folder, 'oam.yaml');
  await mkdir(options.folder, { recursive: true });
  const configure = (port: number): Promise<void> =>
    writeFile(
      file,
      // JSON is YAML, too.
      JSON.stringify(
        {
          listen: { host: '127.0.0.1', port },
          dataFolder: join(options.folder, 'data'),
          policyFolder: options.policyFolder,
          identity: { ...options.identity, claims: { attributes: { on_call: 'on_call' } } },
          databricks: {
            accountId: options.databricks.accountId,
            clientId: options.databricks.applicationId,
            clientSecretEnv: 'OAM_CORE_CLIENT_SECRET',
            ...(options.databricks.pat && {
              pat: {
                clientId: options.databricks.pat.applicationId,
                clientSecretEnv: 'OAM_PAT_CLIENT_SECRET',
              },
            }),
            ...(options.databricks.reader && {
              reader: {
                clientId: options.databricks.reader.applicationId,
                clientSecretEnv: 'OAM_READER_CLIENT_SECRET',
              },
            }),
          },
          issuer: { keyEnv: 'OAM_KEY' },
          ...(options.notices && { notices: options.notices.section }),
          ...(options.absenceConfirmMs === undefined
            ? {}
            : { effects: { absenceConfirmMs: options.absenceConfirmMs } }),
          ...options.configuration,
        },
        undefined,
        2,
      ),
    );
  const env = {
    ...process.env,
    ...options.notices?.environment,
    OAM_KEY: randomBytes(32).toString('base64'),
    OAM_CORE_CLIENT_SECRET: options.databricks.secret,
    OAM_PAT_CLIENT_SECRET: options.databricks.pat?.secret,
    OAM_READER_CLIENT_SECRET: options.databricks.reader?.secret,
    OAM_WORKSPACE_PROD: options.workspaces.prod,
    OAM_WORKSPACE_DEV: options.workspaces.dev,
  };

  const start = async (port: number): Promise<{ server: RunningProcess; url: string }> => {
    await configure(port);
    const server = startProcess({
      name: 'The control plane',
      command: process.execPath,
      arguments: [join(ROOT, 'src/cli/main.ts'), 'serve', '--config', file],
      cwd: ROOT,
      env,
      ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
    });
    try {
      const [, url = ''] = await server.waitForLine(
        /"event":"listening","url":"([^"]+)"/,
        READY_WITHIN_MS,
        options.signal,
      );
      return { server, url };
    } catch (error) {
      await server.stop(15_000);
      throw error;
    }
  };

  const first = await start(options.port ?? 0);
  const { url } = first;
  let { server } = first;
  return {
    url,
    process: () => server,
    async kill() {
      server.killAlone();
      await server.ended;
    },
    pause() {
      process.kill(server.pid, 'SIGSTOP');
    },
    resume() {
      process.kill(server.pid, 'SIGCONT');
    },
    async restart() {
      ({ server } = await start(Number(new URL(url).port)));
    },
    // Its database shuts down in order, which takes a moment.
    close: () => server.stop(15_000),
  };
}
