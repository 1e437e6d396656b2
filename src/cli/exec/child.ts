import { spawn } from 'node:child_process';
import { constants as fileSystem } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';

import { CancelledError } from '../../domain/errors.ts';
import { NotStartedError } from '../failure.ts';
import type { SignalDesk } from '../signals.ts';

/** What {@link runChild} needs. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signals: SignalDesk;
  readonly atTerminal: boolean;
  /** Whether it is started as under `nohup`: unless it says otherwise itself, it goes on when the terminal goes away. */
  readonly outlivesTerminal: boolean;
}

/**
 * Runs a program in this one's place: it has our terminal, gets our signals, and its exit code is ours (128 plus the
 * number of the signal that ended it). What is to outlive the terminal ignores its going away from the start, unless it
 * takes that signal for something else.
 *
 * @throws {NotStartedError}
 * @throws {CancelledError} where it was called off before it was there.
 */
export async function runChild(options: ChildOptions): Promise<number> {
  const [command, args] = options.outlivesTerminal
    ? await deafToHangUps(options)
    : [options.command, options.args];
  // Nobody was there to take the signal, and nobody sends it again to what is started after it.
  if (options.signals.stop.aborted) throw new CancelledError();
  const child = spawn(command, args, { stdio: 'inherit', env: { ...options.env } });
  using heard = new DisposableStack();
  heard.use(
    options.signals.take((signal) => {
      // At a terminal Ctrl-C and Ctrl-\ reach the program by themselves; a second one means "now" to many programs.
      if ((signal === 'SIGINT' || signal === 'SIGQUIT') && options.atTerminal) return;
      child.kill(signal);
    }),
  );
  heard.use(options.signals.pass((signal) => child.kill(signal)));
  return await new Promise<number>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      // A signal that could not be delivered is no reason to stop waiting for the program.
      if (child.pid === undefined) reject(notStarted(options.command, error));
    });
    child.once('exit', (code, signal) => {
      resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
    });
  });
}

/** Node.js gives its children every signal back, so a shell puts the one away and then becomes the program. */
async function deafToHangUps({
  command,
  args,
  env,
}: ChildOptions): Promise<readonly [string, readonly string[]]> {
  await assertRunnable(command, env['PATH'] ?? '');
  return ['/bin/sh', ['-c', `trap '' HUP; exec "$0" "$@"`, command, ...args]];
}

/** What the shell would say in its own words and by the codes that programs have too is said in ours, before. */
async function assertRunnable(command: string, path: string): Promise<void> {
  const places = command.includes('/')
    ? [command]
    : path.split(delimiter).map((folder) => join(folder, command));
  let worst: NodeJS.ErrnoException = Object.assign(new Error('not found'), { code: 'ENOENT' });
  for (const place of places) {
    try {
      await access(place, fileSystem.X_OK);
      if ((await stat(place)).isFile()) return;
      worst = Object.assign(new Error('a folder'), { code: 'EACCES' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') worst = error as NodeJS.ErrnoException;
    }
  }
  throw notStarted(command, worst);
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
