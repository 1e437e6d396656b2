import { lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { OamError } from '../../domain/errors.ts';
import { type PrincipalKey, samePrincipal } from '../../domain/principal.ts';
import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import type { SubjectToken } from '../../identity/index.ts';
import { processFileName, removeLeftFiles } from '../process-files.ts';

/** A sign-in in a file, for programs that read one and speak no metadata service. Disposing removes it. */
export interface TokenFile extends AsyncDisposable {
  /** What `DATABRICKS_OIDC_TOKEN_FILEPATH` names. */
  readonly path: string;
  /** When what lies there now is worth nothing any more. */
  readonly expiresAtMs: EpochMs;
  /** Removes it while the program still runs. No fresh one follows. */
  end(): void;
}

/** What {@link keepTokenFile} needs. */
export interface TokenFileOptions {
  /** Made if it is not there; must be this user's alone. */
  readonly folder: string;
  readonly subjectToken: (signal: AbortSignal) => Promise<SubjectToken>;
  /** Whose sign-in it is; somebody else's is never written. */
  readonly principal: PrincipalKey;
  readonly clock: Clock;
  /** Told once of each reason why it cannot be kept fresh. */
  readonly onTrouble: (error: OamError) => void;
  /** How often it is looked whether a fresh one is due, in milliseconds; 5 seconds unless given. */
  readonly everyMs?: number;
}

/**
 * Where the files of this user lie: in memory where the system offers it, and gone with the session then.
 *
 * @param outlivesSession whether the program goes on after the person has left the machine: what is gone by then is no place for it.
 */
export function tokenFolder(
  env: Readonly<Record<string, string | undefined>>,
  stateFolder: string,
  outlivesSession: boolean,
): string {
  const runtime = env['XDG_RUNTIME_DIR'] ?? '';
  // A program may work in another folder than we do; the XDG base directories are absolute for the same reason.
  return outlivesSession || !isAbsolute(runtime)
    ? join(stateFolder, 'token-files')
    : join(runtime, 'databricks-ml-oam');
}

/**
 * Writes the person's sign-in into a file of theirs alone, and a fresh one at half its life.
 *
 * @throws {OamError} `token_folder_unsafe`; `token_file_not_written`; `no_private_files` on Windows; `principal_changed`; the session's.
 */
export async function keepTokenFile(options: TokenFileOptions): Promise<TokenFile> {
  const { folder, clock, principal } = options;
  if (process.platform === 'win32') {
    throw new OamError(
      'no_private_files',
      'On Windows a file is not kept from others by its mode, so none is written. Use a program that knows the metadata service.',
    );
  }
  await makePrivate(folder);
  const path = join(folder, await processFileName(ENDING));
  const stopped = new AbortController();
  const { signal } = stopped;
  const trouble = onceEach(options.onTrouble);
  let expiresAtMs = 0;
  let dueAtMs = 0;

  const write = async (): Promise<void> => {
    const subject = await options.subjectToken(signal);
    if (!samePrincipal(subject.principal, principal)) {
      await rm(path, { force: true });
      throw new OamError(
        'principal_changed',
        'Somebody else has signed in, so the file of the first is gone.',
      );
    }
    // Whole or not at all, and without a line end: Go's SDK does not cut it off.
    const draft = join(folder, await processFileName(ENDING));
    try {
      await writeFile(draft, subject.token, { mode: 0o600, flag: 'wx' });
      if (signal.aborted) return;
      await rename(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
    expiresAtMs = subject.expiresAtMs;
    dueAtMs = clock.nowMs() + Math.max(0, (subject.expiresAtMs - clock.nowMs()) / 2);
  };

  const keepFresh = async (): Promise<void> => {
    let failures = 0;
    while (!signal.aborted) {
      // Short looks in place of one long timer: a machine that slept wakes up to a token of yesterday.
      await pause(options.everyMs ?? 5 * SECOND_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted || clock.nowMs() < dueAtMs) continue;
      try {
        await write();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        dueAtMs = clock.nowMs() + Math.min(5 * SECOND_MS * 2 ** failures, MINUTE_MS);
        trouble(error instanceof OamError ? error : notWritten(error));
      }
    }
  };

  await write().catch((error: unknown) => {
    throw error instanceof OamError ? error : noPlace(folder, error);
  });
  const keeping = keepFresh();
  const remove = async (): Promise<void> => {
    stopped.abort();
    await keeping;
    await rm(path, { force: true });
  };
  return {
    path,
    get expiresAtMs() {
      return expiresAtMs;
    },
    end() {
      // Where it fails it is tried once more when the program has ended, and told then.
      remove().catch(() => undefined);
    },
    [Symbol.asyncDispose]: remove,
  };
}

/** Removes what programs left that were killed, as {@link removeLeftFiles} does. */
export async function removeLeftTokenFiles(folder: string): Promise<void> {
  await removeLeftFiles(folder, ENDING);
}

const ENDING = '.jwt';

async function makePrivate(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw noPlace(folder, error);
  }
  const found = await lstat(folder);
  const isOurs = found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0;
  if (isOurs) return;
  throw new OamError(
    'token_folder_unsafe',
    'Others could read what is written to this folder, so nothing is. Make it yours alone: chmod 700.',
    { detail: folder },
  );
}

function noPlace(folder: string, cause: unknown): OamError {
  return new OamError(
    'token_file_not_written',
    'The file with your sign-in cannot be written, so nothing was started. Let XDG_RUNTIME_DIR name a folder that is yours alone and has room.',
    { detail: `${folder}, ${codeOf(cause)}`, cause },
  );
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
}

function notWritten(cause: unknown): OamError {
  return new OamError('token_file_not_written', 'The file with the sign-in could not be written anew.', {
    detail: cause instanceof Error ? cause.message : String(cause),
    cause,
  });
}

function onceEach(tell: (error: OamError) => void): (error: OamError) => void {
  let last: string | undefined;
  return (error) => {
    if (error.code !== last) tell(error);
    last = error.code;
  };
}
