import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { ROOT, temporaryFolder } from '../../demo/stage/folders.ts';
import { startProcess, type RunningProcess } from '../../demo/stage/processes.ts';

/** A program of ours and all that it starts, told from all other processes by a temporary folder of its own. */
export interface WatchedProcess {
  readonly process: RunningProcess;
  readonly temporary: string;
  /** The command lines of all that it started and that still runs. */
  others(): string[];
  /** Waits until something that matches runs. */
  seen(pattern: RegExp): Promise<void>;
  close(): Promise<void>;
}

/** Starts a program from the checkout or a copy of it. */
export async function startWatched(
  program: string,
  words: readonly string[],
  o: { checkout?: string; env?: NodeJS.ProcessEnv; onLine?: (line: string) => void } = {},
): Promise<WatchedProcess> {
  const folder = await temporaryFolder('d');
  const running = startProcess({
    name: program,
    command: process.execPath,
    arguments: [program, ...words],
    cwd: o.checkout ?? ROOT,
    // npm would keep its compiled code in the temporary folder.
    env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1', ...o.env, TMPDIR: folder.path },
    ...(o.onLine === undefined ? {} : { onLine: o.onLine }),
  });
  const others = (): string[] =>
    commandsIn(folder.path)
      .filter(({ pid }) => pid !== running.pid)
      .map(({ command }) => command);
  return {
    process: running,
    temporary: folder.path,
    others,
    async seen(pattern) {
      let hasEnded = false;
      void running.ended.then(() => (hasEnded = true));
      while (!others().some((command) => pattern.test(command))) {
        if (hasEnded) throw new Error(`${program} ended before ${String(pattern)} ran:\n${running.tail()}`);
        await delay(5);
      }
    },
    async close() {
      await running.stop(20_000);
      await folder.remove();
    },
  };
}

/** The processes that work in the folder, or name it in their command line or their environment, which is inherited. */
export function commandsIn(folder: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), ...traces(name) }))
    .filter(({ all }) => all.includes(folder))
    .map(({ pid, command }) => ({ pid, command }));
}

/** What the system tells of a process; nothing of one that has ended. */
function traces(pid: string): { command: string; all: string } {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    const all = [command, readFileSync(`/proc/${pid}/environ`, 'utf8'), readlinkSync(`/proc/${pid}/cwd`)];
    return { command, all: all.join('\n') };
  } catch {
    return { command: '', all: '' };
  }
}
