import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** A process group that we started. */
export interface RunningProcess {
  readonly pid: number;
  readonly name: string;
  /** The last lines that it printed, for a failure's report. */
  tail(): string;
  /**
   * The first line, printed already or to come, that matches; rejects if the process ends, the time is up or the
   * signal fires.
   */
  waitForLine(pattern: RegExp, timeoutMs: number, signal?: AbortSignal): Promise<RegExpMatchArray>;
  /** Settles when the process has ended. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Settles when all that it printed has been read, too. */
  readonly drained: Promise<void>;
  /** Kills the leader alone, as the system does when memory runs out; what it started lives on. */
  killAlone(): void;
  /** Ends the whole group: a polite signal first, after `graceMs` the other one. */
  stop(graceMs?: number): Promise<void>;
}

export interface StartOptions {
  name: string;
  command: string;
  arguments: readonly string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  onLine?: (line: string) => void;
}

const TAIL_LINES = 60;

const living = new Set<RunningProcess & { kill(): void }>();

// A crash of ours must not leave a server behind: this is the one place that runs however we end, short of kill -9.
process.on('exit', () => {
  for (const running of living) running.kill();
});

/** Ends all that was started and not stopped yet, politely. */
export async function stopProcesses(graceMs: number): Promise<void> {
  await Promise.all([...living].map((running) => running.stop(graceMs)));
}

/** Starts a process as the leader of a group of its own, so that all it starts can be ended with it. */
export function startProcess(options: StartOptions): RunningProcess {
  const child: ChildProcess = spawn(options.command, options.arguments, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const watchers = new Set<(line: string) => void>();
  let hasEnded = false;

  const onLine = (line: string): void => {
    lines.push(line);
    if (lines.length > 2_000) lines.splice(0, 1_000);
    options.onLine?.(line);
    for (const watcher of watchers) watcher(line);
  };
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', onLine);
  }

  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      hasEnded = true;
      resolve({ code, signal });
    };
    child.once('exit', finish);
    child.once('error', (error) => {
      onLine(error.message);
      finish(127, null);
    });
  });

  const drained = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
    child.once('error', () => {
      resolve();
    });
  });

  const signalGroup = (signal: NodeJS.Signals | 0): boolean => {
    if (child.pid === undefined) return false;
    try {
      process.kill(-child.pid, signal);
      return true;
    } catch {
      return false;
    }
  };

  const tail = (): string => lines.slice(-TAIL_LINES).join('\n');

  const running = {
    pid: child.pid ?? -1,
    name: options.name,
    tail,
    ended,
    drained,
    waitForLine(pattern: RegExp, timeoutMs: number, signal?: AbortSignal): Promise<RegExpMatchArray> {
      return new Promise((resolve, reject) => {
        const settle = (finish: () => void): void => {
          clearTimeout(timer);
          watchers.delete(watch);
          signal?.removeEventListener('abort', stopped);
          finish();
        };
        const stopped = (): void => {
          fail('was not waited for any longer');
        };
        const watch = (line: string): void => {
          const match = pattern.exec(line);
          if (match !== null) {
            settle(() => {
              resolve(match);
            });
          }
        };
        const fail = (what: string): void => {
          settle(() => {
            reject(new Error(`${options.name} ${what}. It printed:\n${tail()}`));
          });
        };
        const timer = setTimeout(() => {
          fail(`was not ready after ${String(timeoutMs / 1000)} s`);
        }, timeoutMs);
        watchers.add(watch);
        signal?.addEventListener('abort', stopped, { once: true });
        for (const line of lines) watch(line);
        if (signal?.aborted === true) stopped();
        // The exit may be reported before the last lines were read.
        void ended.then(async ({ code }) => {
          await delay(100);
          fail(`ended early (exit code ${String(code)})`);
        });
      });
    },
    kill() {
      signalGroup('SIGKILL');
    },
    killAlone() {
      child.kill('SIGKILL');
    },
    async stop(graceMs = 5_000) {
      const deadline = performance.now() + graceMs;
      let alive = signalGroup('SIGTERM');
      while (alive && performance.now() < deadline) {
        await delay(50);
        alive = signalGroup(0);
      }
      if (alive) signalGroup('SIGKILL');
      if (!hasEnded) await ended;
      living.delete(running);
    },
  };
  living.add(running);
  return running;
}

/** Where the reason of a command's failure mostly stands. */
export function lastLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1) ?? '';
}

/** Runs a command to its end and returns what it printed; a failure carries the end of it. The signal ends it early. */
export async function run(
  options: StartOptions & { timeoutMs?: number; signal?: AbortSignal | undefined },
): Promise<string> {
  const { signal } = options;
  signal?.throwIfAborted();
  const running = startProcess(options);
  const stopEarly = (): void => void running.stop();
  signal?.addEventListener('abort', stopEarly, { once: true });
  const lines: string[] = [];
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          lines.push(`(stopped after ${String((options.timeoutMs ?? 0) / 1000)} s)`);
          void running.stop(0);
        }, options.timeoutMs);
  try {
    const { code } = await running.ended;
    signal?.throwIfAborted();
    if (code !== 0) {
      throw new Error(
        `${options.name} failed (exit code ${String(code)}):\n${running.tail()}\n${lines.join('\n')}`,
      );
    }
    return running.tail();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stopEarly);
    await running.stop(1_000);
  }
}
