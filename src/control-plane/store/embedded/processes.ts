import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { platform } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * What tells one process from a later one with the same pid: when it started, within which boot. Undefined when
 * no such process runs (a zombie does not run).
 */
export async function startMark(pid: number): Promise<string | undefined> {
  if (platform() === 'linux') {
    try {
      const [boot, stat] = await Promise.all([
        readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
        readFile(`/proc/${pid}/stat`, 'utf8'),
      ]);
      // The name in parentheses may itself hold spaces and parentheses; the fields after it do not.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const [state, startTicks] = [fields[0], fields[19]];
      if (state === 'Z' || state === 'X' || startTicks === undefined) return undefined;
      return `${boot.trim()}/${startTicks}`;
    } catch {
      return undefined;
    }
  }
  try {
    const { stdout } = await run('ps', ['-o', 'lstart=', '-p', String(pid)]);
    return stdout.trim() === '' ? undefined : stdout.trim();
  } catch {
    return undefined;
  }
}

/** True if the process is a PostgreSQL server that works on this data folder. */
export async function servesDataFolder(pid: number, dataFolder: string): Promise<boolean> {
  if ((await startMark(pid)) === undefined) return false;
  try {
    // A postmaster makes its data folder its working directory.
    if (platform() === 'linux') return (await readlink(`/proc/${pid}/cwd`)) === dataFolder;
    const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]);
    return stdout.includes(dataFolder);
  } catch {
    return false;
  }
}

/** Sends a signal; false if the process is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
