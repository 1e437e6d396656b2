import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import * as z from 'zod/mini';

import { startMark } from '../../../../../src/control-plane/store/embedded/processes.ts';
import { openStore, type Store } from '../../../../../src/control-plane/store/store.ts';
import { silentLogger } from '../../../../../src/domain/logger.ts';

/** Opens the folder in its argument in a process of its own, which can be killed. */
export const PROGRAM = fileURLToPath(new URL('./open-store.ts', import.meta.url));

const FirstLine = z.object({
  opened: z.boolean(),
  code: z.optional(z.string()),
  message: z.optional(z.string()),
});

interface Launched {
  readonly child: ChildProcess;
  readonly log: () => string;
}

interface Running extends Launched {
  readonly said: z.infer<typeof FirstLine>;
}

interface LaunchOptions {
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A data folder of the present test's own, and what opens it. */
export interface DataFolder {
  readonly path: string;
  /** Starts from a database that was made before: making one takes most of the time. */
  startFromMade(): Promise<void>;
  /** Opens a store in this process, on this folder unless told; the signal calls it off. */
  open(path?: string, signal?: AbortSignal): Promise<Store>;
  /** Starts the program that opens a store. */
  launch(args: readonly string[], options?: LaunchOptions): Launched;
  /** Starts it, and waits until it says what came of it. */
  run(args: readonly string[], options?: LaunchOptions): Promise<Running>;
}

/** Gives each test of the suite a data folder, and leaves neither it nor a process behind. */
export function dataFolderForEach(): DataFolder {
  let made: string | undefined;
  let path = '';
  let children: ChildProcess[] = [];

  const open = (dataFolder = path, signal?: AbortSignal): Promise<Store> =>
    openStore({ dataFolder, logger: silentLogger, signal });

  const launch = (args: readonly string[], options: LaunchOptions = {}): Launched => {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
    });
    children.push(child);
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
    return { child, log: () => log };
  };

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'oam-embedded-'));
    children = [];
  });

  afterEach(async () => {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) await kill(child, 'SIGTERM');
    }
    // A test that kills a control plane leaves its server running.
    const pid = await postmasterPid(path);
    if (pid !== undefined && (await startMark(pid)) !== undefined) process.kill(pid, 'SIGINT');
    await until(
      'the server has ended',
      async () => pid === undefined || (await startMark(pid)) === undefined,
    );
    await rm(path, { recursive: true, force: true });
  });

  after(async () => {
    if (made !== undefined) await rm(made, { recursive: true, force: true });
  });

  return {
    get path() {
      return path;
    },
    async startFromMade() {
      if (made === undefined) {
        made = await mkdtemp(join(tmpdir(), 'oam-embedded-'));
        await (await open(made)).close();
      }
      await cp(join(made, 'database'), join(path, 'database'), { recursive: true });
    },
    open,
    launch,
    async run(args, options) {
      const { child, log } = launch(args, options);
      if (child.stdout === null) throw new TypeError('Its output goes nowhere.');
      for await (const line of createInterface(child.stdout)) {
        return { child, said: FirstLine.parse(JSON.parse(line)), log };
      }
      throw new Error(`The process said nothing. ${log()}`);
    },
  };
}

/** Sends a signal and waits for the end. */
export async function kill(child: ChildProcess, name: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit');
  child.kill(name);
  await ended;
}

/** The server of the control plane on a folder, or in its `data`. */
export async function postmasterPid(folder: string): Promise<number | undefined> {
  for (const data of [join(folder, 'database', 'data'), join(folder, 'data', 'database', 'data')]) {
    try {
      return Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** Waits, and says for what in vain. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`It never came to this: ${what}`);
    await pause(5);
  }
}
