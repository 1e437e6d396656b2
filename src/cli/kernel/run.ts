import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import {
  personTokenSource,
  pointerEnvironment,
  roleTokenSource,
  startBroker,
  type TokenSource,
} from '../../broker/index.ts';
import { OamError } from '../../domain/errors.ts';
import { hasOwnPath } from '../../domain/role.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { stateFolder } from '../../identity/index.ts';
import type { Connection } from '../connection/connect.ts';
import { personAt } from '../connection/person.ts';
import { childEnvironment } from '../exec/child-environment.ts';
import { runChild } from '../exec/child.ts';
import { watchGrant } from '../exec/grant-watch.ts';
import type { Invocation } from '../invocation.ts';
import type { SignalDesk } from '../signals.ts';
import { ACCESS_FILE, AccessBoard } from './access-board.ts';
import { heldRole, openGrants } from './held-grants.ts';
import { inheritedPointer } from './inherited-pointer.ts';

/** What a `kernel.json` says. */
export interface KernelRun {
  readonly command: string;
  readonly args: readonly string[];
  /** The workspace's origin. */
  readonly host: string;
  readonly roleId: string | undefined;
}

/** Between two looks at what the person holds. */
const LOOK_EVERY_MS = 30 * SECOND_MS;

/**
 * `oam kernel run`: starts a kernel at once, whatever becomes of sign-in and access. A cell that asks before there is
 * any is refused with the reason, and the next one asks anew.
 *
 * @returns the kernel's exit code.
 */
export async function runKernel(
  wish: KernelRun,
  connect: (invocation: Invocation) => Promise<Connection>,
  invocation: Invocation,
): Promise<number> {
  const { clock, env, logger, redactor, signals } = invocation;
  const board = new AccessBoard(join(stateFolder(env), 'kernels'), clock, {
    workspace: wish.host,
    role: wish.roleId ?? null,
  });
  const note = (line: string): void => {
    board.says(line);
    invocation.note(line);
  };
  const stopped = new AbortController();
  const around: Invocation = { ...invocation, note, signals: endingWith(signals, stopped.signal) };
  const connection = await connect(around);
  await board.open();
  const broker = await startBroker({ clock, logger, redactor });
  try {
    const given = wish.roleId === undefined ? await inheritedPointer(wish.host, env) : undefined;
    /** A role's path ends with its grant: the token in hand may be good for long after an early end. */
    const endsWith = (grantId: string): void => {
      const { client } = connection;
      const onOver = (): void => path.end('grant_ended');
      // The helper in the kernel warns of what is to come.
      const watch = watchGrant({ grantId, client, clock, onOver, onEnding: () => undefined });
      stopped.signal.addEventListener('abort', () => watch[Symbol.dispose](), { once: true });
    };
    /** A token in hand may be good for long after the sign-out as well. */
    const endsWithSession = (): void => {
      const watch = connection.session.onLeft((leaving) => path.end(leaving));
      stopped.signal.addEventListener('abort', () => watch[Symbol.dispose](), { once: true });
    };
    const path = broker.open({
      host: wish.host,
      source: board.telling(sourceOf(wish, connection, around, { endsWith, endsWithSession })),
      onRefusal: (refusal) => {
        board.refused(refusal);
      },
    });
    const child = childEnvironment(env, given ?? pointerEnvironment({ host: wish.host, url: path.url }));
    if (given === undefined && child.leftOut.length > 0) {
      invocation.note(`oam: Left out of the kernel's environment: ${child.leftOut.join(', ')}`);
    }
    void watchAccess(wish, connection, board, stopped.signal);
    void endWithJupyter(invocation, stopped.signal);
    if (given === undefined) void signInWhereNobodyIs(connection, note);
    return await runChild({
      command: wish.command,
      args: wish.args,
      env: { ...parentage(child.env), [ACCESS_FILE]: board.file },
      signals,
      // Jupyter signals the whole group; what reached us reached the kernel.
      atTerminal: true,
      outlivesTerminal: false,
    });
  } finally {
    stopped.abort();
    await broker.close();
    await board.close();
  }
}

/** A sign-in that is under way is called off with its kernel too: it would keep this process for as long as its code is good. */
function endingWith(signals: SignalDesk, kernel: AbortSignal): SignalDesk {
  return {
    stop: AbortSignal.any([signals.stop, kernel]),
    get received() {
      return signals.received;
    },
    take: (listener) => signals.take(listener),
    pass: (listener) => signals.pass(listener),
  };
}

/** ipykernel ends with the process that it takes for its parent, which is this one. On Windows that is a handle of Jupyter's, and not ours to pass on. */
function parentage(env: Readonly<Record<string, string>>): Record<string, string> {
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => name !== 'JPY_PARENT_PID'));
  return process.platform === 'win32' ? rest : { ...rest, JPY_PARENT_PID: String(process.pid) };
}

/** A Jupyter that is killed takes its kernels along: ipykernel would notice, but it is our child and not Jupyter's. */
async function endWithJupyter({ env }: Invocation, signal: AbortSignal): Promise<void> {
  const jupyter = process.ppid;
  if (env['JPY_PARENT_PID'] !== String(jupyter)) return;
  while (!signal.aborted && process.ppid === jupyter) {
    await pause(SECOND_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
  // To ourselves, as Jupyter would have sent it.
  if (!signal.aborted) process.kill(process.pid, 'SIGTERM');
}

/** What a kernel's path ends with, from the moment on at which there is such a thing. */
interface PathWatches {
  readonly endsWith: (grantId: string) => void;
  readonly endsWithSession: () => void;
}

/** Nobody may be signed in yet, and the role may not be held: both are looked for at each token until they are there. */
function sourceOf(
  { host, roleId }: KernelRun,
  connection: Connection,
  around: Invocation,
  { endsWith, endsWithSession }: PathWatches,
): TokenSource {
  let source: TokenSource | undefined;
  const find = async (signal: AbortSignal | undefined): Promise<TokenSource> => {
    const session = await connection.session.current();
    if (session === undefined) {
      throw new OamError(
        'not_signed_in',
        'You are not signed in. Sign in with `oam login`, then run the cell again.',
      );
    }
    const person = await personAt(host, session, connection, around, connection.withinLimits);
    if (roleId === undefined) return personTokenSource(person);
    const { client } = connection;
    const grantId = await heldRole(roleId, host, client, signal);
    endsWith(grantId);
    const ofSignIn = () => session.signInId;
    return roleTokenSource({ grantId, client, redactor: around.redactor, person, session: ofSignIn });
  };
  return {
    async token(signal) {
      if (source === undefined) {
        source = await find(signal);
        endsWithSession();
      }
      return source.token(signal);
    },
  };
}

/** Keeps the board up to date while the kernel runs. What cannot be asked now is asked again. */
async function watchAccess(
  { host, roleId }: KernelRun,
  { client, session, withinLimits }: Connection,
  board: AccessBoard,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      // A kernel that nobody uses must not hold a session open beyond the company's limits.
      await withinLimits.person(signal);
      const person = await session.current();
      if (person !== undefined) {
        const grants = await openGrants(client, signal);
        board.holds(
          person.userName,
          grants.filter(({ role }) =>
            roleId === undefined
              ? role.workspace.host === host && !hasOwnPath(role.credential)
              : role.id === roleId,
          ),
        );
      }
    } catch {
      board.beat();
    }
    await pause(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Where no keychain keeps a session each kernel has one of its own. The kernel does not wait for it. */
async function signInWhereNobodyIs(connection: Connection, note: (line: string) => void): Promise<void> {
  try {
    if (connection.kept || (await connection.session.current()) !== undefined) return;
    await connection.signIn();
  } catch (error) {
    if (error instanceof OamError && error.code !== 'cancelled') {
      note(`${error.sentence} Restart the kernel to sign in.`);
    }
  }
}
