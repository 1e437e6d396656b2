import { spawn } from 'node:child_process';
import { constants } from 'node:os';

import { NotStartedError } from '../failure.ts';
import type { SignalDesk } from '../signals.ts';

/** What {@link runChild} needs. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signals: SignalDesk;
  readonly atTerminal: boolean;
}

/**
 * Runs a program in this one's place: it has our terminal, gets our signals, and its exit code is ours (128 plus the
 * number of the signal that ended it).
 *
 * @throws {NotStartedError}
 */
export async function runChild(options: ChildOptions): Promise<number> {
  const child = spawn(options.command, options.args, { stdio: 'inherit', env: { ...options.env } });
  const taken = options.signals.take((signal) => {
    // At a terminal Ctrl-C reaches the program by itself; a second one means "now" to many programs.
    if (signal === 'SIGINT' && options.atTerminal) return;
    child.kill(signal);
  });
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        // A signal that could not be delivered is no reason to stop waiting for the program.
        if (child.pid === undefined) reject(notStarted(options.command, error));
      });
      child.once('exit', (code, signal) => {
        resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
      });
    });
  } finally {
    taken[Symbol.dispose]();
  }
}

function notStarted(command: string, error: NodeJS.ErrnoException): NotStartedError {
  return error.code === 'ENOENT'
    ? new NotStartedError(127, 'There is no such program. Check its name and your PATH.', command)
    : new NotStartedError(
        126,
        'The program cannot be run. Check that it is executable.',
        `${command}, ${error.code ?? error.message}`,
      );
}
