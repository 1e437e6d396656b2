import { closeSync, openSync } from 'node:fs';

/**
 * True where this process has a terminal and writes nothing to it, as under `nohup` or with its output in a file: when the
 * terminal goes away nothing is lost by going on. `nohup` itself cannot be seen: Node.js takes the signals back that it was
 * started to ignore.
 */
export function outputGoesElsewhere(): boolean {
  return !process.stdout.isTTY && !process.stderr.isTTY && hasTerminal();
}

function hasTerminal(): boolean {
  if (process.platform === 'win32') return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
