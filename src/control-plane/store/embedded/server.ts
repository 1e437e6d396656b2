import type { ChildProcess } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

import pg from 'pg';

import { hasCode, OamError } from '../../../domain/errors.ts';
import type { Logger } from '../../../domain/logger.ts';
import { MINUTE_MS, SECOND_MS } from '../../../domain/time.ts';
import { type Cluster, clusterDataFolder, DATABASE_USER, openCluster } from './cluster.ts';
import { type Holder, holdFolder } from './holder.ts';
import { stopOrphan, stopPostmaster } from './postmaster.ts';
import { signal } from './processes.ts';
import { chooseRunner, installedPrograms, type Runner } from './programs.ts';

/** What {@link startEmbeddedPostgres} needs. */
export interface EmbeddedPostgresOptions {
  /** Belongs to one control plane. Made if it is not there, and closed to others (mode 0700). */
  readonly dataFolder: string;
  readonly logger: Logger;
  /** The folder with PostgreSQL's `bin/`, `lib/` and `share/`; the one that npm installed unless told. */
  readonly programs?: string;
  /** Calls the start off; what has been started by then is stopped in order. */
  readonly signal?: AbortSignal | undefined;
}

/** A running PostgreSQL that nobody else can reach. */
export interface EmbeddedPostgres {
  /** How to connect, as `pg` takes it; without a database name. */
  readonly connection: {
    /** The folder of the Unix socket. */
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly ssl: false;
  };
  /** Stops the server in order and lets the data folder go. */
  close(): Promise<void>;
}

/** Only part of the socket's file name: nothing listens on TCP. */
const PORT = 5432;

/** The kernel takes no longer path for a socket. */
const SOCKET_PATH_MAX_BYTES = 107;

const SOCKET_FOLDER_PREFIX = 'oam-';

/** Recovery after a crash reads the log again from the last checkpoint; that is minutes at the very worst. */
const START_PATIENCE_MS = 5 * MINUTE_MS;

/** For how long a start is tried again while remains of a killed server go away. */
const REMAINS_PATIENCE_MS = 30 * SECOND_MS;

const POLL_MS = 20;

const RESTART_PAUSE_MS = SECOND_MS;

const LOG_MAX_BYTES = 10 * 1024 * 1024;

/**
 * Starts PostgreSQL on a data folder: no TCP, a socket in a folder with mode 0700, SCRAM with a random password,
 * fsync on. What a killed control plane left behind is stopped first, and a server that dies is started again. A start that
 * is called off throws the signal's reason once nothing of it runs.
 *
 * @throws {OamError} `data_folder_in_use`, `data_folder_not_ours`, `data_folder_damaged`, `postgres_missing`,
 * `postgres_cannot_run`, `postgres_failed`, `postgres_will_not_stop`.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { logger, signal: calledOff } = options;
  const folder = await ownFolder(options.dataFolder);
  const holder = await holdFolder(folder);
  try {
    const runner = await chooseRunner({
      programs: options.programs ?? (await installedPrograms()),
      copyTo: join(folder, 'postgresql'),
      dataFolder: clusterDataFolder(folder),
    });
    await chmod(folder, runner.manner === 'as another account' ? 0o711 : 0o700);
    const cluster = await openCluster(folder, runner, calledOff);
    const formerSocketFolder = await stopOrphan(cluster.dataFolder, logger);
    if (formerSocketFolder !== undefined) await removeTemporary(formerSocketFolder);
    const socketFolder = await makeSocketFolder(folder, runner);
    const server = new SupervisedServer({ folder, cluster, runner, socketFolder, holder, logger });
    await server.start(calledOff);
    return server;
  } catch (error) {
    await holder.release();
    throw error;
  }
}

interface SupervisedServerParts {
  readonly folder: string;
  readonly cluster: Cluster;
  readonly runner: Runner;
  readonly socketFolder: string;
  readonly holder: Holder;
  readonly logger: Logger;
}

class SupervisedServer implements EmbeddedPostgres {
  readonly connection: EmbeddedPostgres['connection'];
  readonly #parts: SupervisedServerParts;
  #child: ChildProcess | undefined;
  #closing: Promise<void> | undefined;
  #restarting: Promise<void> | undefined;
  /** The last resort of a process that ends without `close`: the server ends by itself, in order. */
  readonly #atExit = (): void => {
    if (this.#child?.pid !== undefined) signal(this.#child.pid, 'SIGINT');
  };

  constructor(parts: SupervisedServerParts) {
    this.#parts = parts;
    const { socketFolder: host, cluster } = parts;
    this.connection = { host, port: PORT, user: DATABASE_USER, password: cluster.password, ssl: false };
  }

  async start(calledOff: AbortSignal | undefined): Promise<void> {
    const { logger, runner, socketFolder } = this.#parts;
    const begun = performance.now();
    process.on('exit', this.#atExit);
    try {
      await this.#startAfterRemains(begun, calledOff);
    } catch (error) {
      process.off('exit', this.#atExit);
      await removeTemporary(socketFolder);
      throw error;
    }
    logger.info('The embedded database runs.', {
      manner: runner.manner,
      ms: Math.round(performance.now() - begun),
    });
  }

  async #startAfterRemains(begun: number, calledOff: AbortSignal | undefined): Promise<void> {
    const { cluster, logger } = this.#parts;
    for (;;) {
      const failure = await this.#tryToStart(calledOff);
      if (failure === undefined) return;
      const remains = /lock file ".*" already exists|shared memory block .* is still in use/.test(failure);
      if (!remains || performance.now() - begun > REMAINS_PATIENCE_MS) {
        throw new OamError(
          'postgres_failed',
          'The embedded database did not start. Its log is in the data folder, in postgresql.log.',
          { detail: failure },
        );
      }
      // A killed control plane's server was just starting: it had not yet written that it is there.
      await pause(POLL_MS * 5);
      await stopOrphan(cluster.dataFolder, logger);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#restarting;
    process.off('exit', this.#atExit);
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      await stopPostmaster(child.pid, this.#parts.cluster.dataFolder);
    }
    await removeTemporary(this.#parts.socketFolder);
    await this.#parts.holder.release();
  }

  /** Undefined once the server answers; otherwise what it said before it ended. */
  async #tryToStart(calledOff?: AbortSignal): Promise<string | undefined> {
    calledOff?.throwIfAborted();
    const { folder, cluster, runner, socketFolder } = this.#parts;
    const logFile = join(folder, 'postgresql.log');
    const log = await openLog(logFile);
    const logStart = (await log.stat()).size;
    const child = runner.spawn(
      'postgres',
      ['-D', cluster.dataFolder, ...settings(socketFolder)],
      ['ignore', log.fd, log.fd],
    );
    // Before anything is waited for: whoever ends this process meanwhile ends it too.
    this.#child = child;
    let ended = false;
    const end = new Promise<void>((resolve) => {
      const settle = (): void => {
        ended = true;
        resolve();
      };
      child.once('exit', settle);
      child.once('error', settle);
    });
    await log.close();
    const deadline = performance.now() + START_PATIENCE_MS;
    while (!(await this.#answers())) {
      if (ended) {
        const said = (await readFile(logFile, 'utf8')).slice(logStart);
        return (
          said
            .trim()
            .replace(/\s*\n\s*/g, ' ')
            .slice(-2_000) || 'it said nothing'
        );
      }
      if (calledOff?.aborted === true || performance.now() > deadline) {
        if (child.pid !== undefined) await stopPostmaster(child.pid, cluster.dataFolder);
        // One that is in its first moments is not known by its data folder yet, and ends by the signal all the same.
        await end;
        this.#child = undefined;
        calledOff?.throwIfAborted();
        return 'it did not answer in time';
      }
      await pause(POLL_MS);
    }
    void end.then(() => {
      if (this.#child === child && this.#closing === undefined) this.#restarting = this.#restart();
    });
    return undefined;
  }

  async #restart(): Promise<void> {
    const { logger } = this.#parts;
    logger.error('The embedded database ended by itself. Starting it again.');
    while (this.#closing === undefined) {
      const failure = await this.#tryToStart().catch(String);
      if (failure === undefined) {
        logger.info('The embedded database runs again.');
        return;
      }
      logger.error('The embedded database did not start again.', { failure });
      await pause(RESTART_PAUSE_MS);
    }
  }

  async #answers(): Promise<boolean> {
    const client = new pg.Client({ ...this.connection, database: 'postgres' });
    // A connection that breaks while it is tried out is an answer, not an accident.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return true;
    } catch {
      await client.end().catch(() => undefined);
      return false;
    }
  }
}

function settings(socketFolder: string): string[] {
  return Object.entries({
    listen_addresses: '',
    port: String(PORT),
    unix_socket_directories: socketFolder,
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256',
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    max_connections: '100',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Statements and their parameters are the company's business; the log is for the server's own troubles.
    log_min_error_statement: 'panic',
    log_parameter_max_length_on_error: '0',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function ownFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = await realpath(folder);
    const { uid } = await stat(path);
    const ourselves = process.getuid?.();
    if (ourselves !== undefined && ourselves !== 0 && uid !== ourselves) {
      throw new OamError(
        'data_folder_not_ours',
        'The data folder belongs to another account. Start OAM as that account, or use another data folder.',
        { detail: `${path}, account ${uid}` },
      );
    }
    return path;
  } catch (error) {
    if (hasCode(error, 'data_folder_not_ours')) throw error;
    throw new OamError(
      'data_folder_not_ours',
      'The data folder cannot be made or entered. Check its path and its permissions.',
      { detail: folder, cause: error },
    );
  }
}

/** Inside the data folder where the path is short enough, else under the machine's folder for temporary files. */
async function makeSocketFolder(folder: string, runner: Runner): Promise<string> {
  const inside = join(folder, 'socket');
  const socketPath = join(inside, `.s.PGSQL.${PORT}`);
  let path: string;
  if (Buffer.byteLength(socketPath) <= SOCKET_PATH_MAX_BYTES) {
    await mkdir(inside, { recursive: true, mode: 0o700 });
    path = inside;
  } else {
    path = await mkdtemp(join(await realpath(tmpdir()), SOCKET_FOLDER_PREFIX));
  }
  await chmod(path, 0o700);
  if (runner.owner) await chown(path, runner.owner.uid, runner.owner.gid);
  return path;
}

async function removeTemporary(socketFolder: string): Promise<void> {
  const isTemporary =
    basename(socketFolder).startsWith(SOCKET_FOLDER_PREFIX) &&
    socketFolder === join(await realpath(tmpdir()), basename(socketFolder));
  if (isTemporary) await rm(socketFolder, { recursive: true, force: true });
}

async function openLog(path: string) {
  try {
    if ((await stat(path)).size > LOG_MAX_BYTES) await rename(path, `${path}.1`);
  } catch {
    // There is no log yet.
  }
  return open(path, 'a', 0o600);
}
