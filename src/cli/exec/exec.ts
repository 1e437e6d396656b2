import { basename } from 'node:path';

import * as z from 'zod/mini';

import {
  type Broker,
  type BrokerPath,
  personTokenSource,
  pointerEnvironment,
  type Refusal,
  roleTokenSource,
  startBroker,
  type TokenSource,
} from '../../broker/index.ts';
import { CancelledError, OamError } from '../../domain/errors.ts';
import { type CredentialKind, hasOwnPath } from '../../domain/role.ts';
import type { Session } from '../../identity/index.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { chooseWorkspace, type Connection } from '../connection/connect.ts';
import { ensureSignedInAt, personAt } from '../connection/person.ts';
import { UsageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { oneLine } from '../table.ts';
import { obtainRole } from './access.ts';
import { runChild } from './child.ts';
import { childEnvironment, HAND_OVER } from './child-environment.ts';
import { endingWords, watchGrant } from './grant-watch.ts';
import { assertLasts, assertWithinLimits, worksAlone } from './lasting.ts';
import { type RunnerSession, startRunner } from './runner-session.ts';

/** What `oam exec` was asked for. */
export interface ExecOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly roleId: string | undefined;
  readonly purpose: string | undefined;
  readonly ticket: string | undefined;
  readonly minutes: number | undefined;
  readonly workspace: string | undefined;
}

/**
 * Runs a program that has Databricks access while it runs: a broker of its own, a path of its own, pointers in its
 * environment, and at the end the path is ended and what was asked for is given back.
 *
 * @returns the program's exit code.
 */
export async function exec(
  options: ExecOptions,
  connection: Connection,
  invocation: Invocation,
): Promise<number> {
  if (options.roleId === undefined && (options.purpose ?? options.ticket) !== undefined) {
    throw new UsageError('A purpose belongs to a role: name one with --role.');
  }
  if (options.roleId !== undefined && options.workspace !== undefined) {
    throw new UsageError('A role has its own workspace. Leave --workspace out.');
  }
  const code = invocation.env[HAND_OVER];
  if (code !== undefined && code !== '') return takenOver(code, options, connection, invocation);
  const session = await connection.signedIn();
  const prepare = async (credential: CredentialKind, host: string): Promise<void> => {
    if (worksAlone(credential)) return;
    const untilMs = await ensureSignedInAt(host, session, connection, invocation);
    assertLasts(credential, session, options.minutes, invocation.clock.nowMs(), untilMs);
  };
  if (options.roleId === undefined) {
    const { workspaces, sessions } = await connection.configuration();
    assertWithinLimits(session, sessions, options.minutes, invocation.clock.nowMs());
    const { host } = chooseWorkspace(workspaces, options.workspace);
    await prepare('member', host);
    const person = await personAt(host, session, connection, invocation, connection.withinLimits);
    const source = personTokenSource(person);
    return runWithBroker({ host, source, held: undefined }, options, invocation);
  }
  const access = await obtainRole(
    { ...options, roleId: options.roleId },
    {
      ...{ ...invocation, client: connection.client },
      prepare: ({ credential, workspace }) => prepare(credential, workspace.host),
    },
  );
  let runner: RunnerSession | undefined;
  try {
    if (worksAlone(access.grant.role.credential))
      runner = await ownRunner(access.grant, options, connection, invocation);
    const place = await placeOf(access.grant, runner, session, connection, invocation);
    return await runWithBroker(place, options, invocation);
  } finally {
    await release(() => access.release(runner?.client), invocation);
  }
}

/** Runs a program under a grant that somebody handed over. Nobody signs in, and the grant stays when it ends. */
async function takenOver(
  code: string,
  options: ExecOptions,
  connection: Connection,
  invocation: Invocation,
): Promise<number> {
  if ((options.roleId ?? options.workspace ?? options.minutes) !== undefined) {
    throw new UsageError(
      `What ${HAND_OVER} hands over has its own role and end. Leave --role, --workspace and --for out.`,
    );
  }
  const runner = await startRunner(connection.url, code, invocation);
  try {
    const grant = await runner.client.call('getGrant', {
      params: { id: runner.grantId },
      signal: invocation.signals.stop,
    });
    const { host, client } = runner;
    const source = roleTokenSource({ grantId: grant.id, client, redactor: invocation.redactor });
    return await runWithBroker({ host, source, held: { grant, client } }, options, invocation);
  } finally {
    await release(() => runner.end(), invocation);
  }
}

/** The program goes on under its grant, whatever becomes of the session in which it was asked for. */
async function ownRunner(
  grant: GrantView,
  { command }: ExecOptions,
  { client, url }: Connection,
  invocation: Invocation,
): Promise<RunnerSession> {
  const { code } = await client.call('handOver', {
    params: { id: grant.id },
    body: { name: oneLine(basename(command)).slice(0, 200) || 'oam exec' },
    signal: invocation.signals.stop,
  });
  return startRunner(url, code, invocation);
}

/** Where and as whom the program works. */
interface ExecPlace {
  readonly host: string;
  readonly source: TokenSource;
  /** The grant that the program works under, and who asks after it; absent where it has the person's everyday access only. */
  readonly held: { readonly grant: GrantView; readonly client: ControlPlaneClient } | undefined;
}

async function placeOf(
  grant: GrantView,
  runner: RunnerSession | undefined,
  session: Session,
  connection: Connection,
  invocation: Invocation,
): Promise<ExecPlace> {
  const { host } = grant.role.workspace;
  const client = runner?.client ?? connection.client;
  const person = await personAt(host, session, connection, invocation);
  const source = hasOwnPath(grant.role.credential)
    ? roleTokenSource({ grantId: grant.id, client, redactor: invocation.redactor, person })
    : personTokenSource(person);
  return { host, source, held: { grant, client } };
}

async function runWithBroker(
  place: ExecPlace,
  options: ExecOptions,
  invocation: Invocation,
): Promise<number> {
  const { clock, logger, redactor, signals, note } = invocation;
  const broker: Broker = await startBroker({ clock, logger, redactor });
  try {
    let tell: (refusal: Refusal) => void = () => undefined;
    using path = broker.open({
      host: place.host,
      source: place.source,
      onRefusal: (refusal) => {
        tell(refusal);
      },
    });
    await firstToken(path, place.host, signals.stop);
    tell = onceEach(note);
    const { env, leftOut } = childEnvironment(
      invocation.env,
      pointerEnvironment({ host: place.host, url: path.url }),
    );
    if (leftOut.length > 0) note(`Left out of the program's environment: ${leftOut.join(', ')}`);
    const watch = place.held && watchWhileRunning(place.held, path, invocation);
    try {
      return await runChild({ ...options, env, signals, atTerminal: invocation.atTerminal });
    } finally {
      watch?.[Symbol.dispose]();
    }
  } finally {
    await broker.close();
  }
}

/** Warns of a grant's end, and ends a role's path with it. A person's path stays: it answers as the person, who has less now. */
function watchWhileRunning(
  { grant, client }: NonNullable<ExecPlace['held']>,
  path: BrokerPath,
  { clock, note }: Pick<Invocation, 'clock' | 'note'>,
): Disposable {
  return watchGrant({
    ...{ grantId: grant.id, client, clock },
    onEnding(ending, leftMs) {
      note(`oam: ${endingWords(ending, leftMs, clock.nowMs())}`);
    },
    onOver() {
      note(`oam: The access has ended while the program runs: ${oneLine(grant.role.title)}.`);
      if (hasOwnPath(grant.role.credential)) path.end('grant_ended');
    },
  });
}

/** Says each reason once until another comes: SDKs ask again and again. */
function onceEach(note: (line: string) => void): (refusal: Refusal) => void {
  let last: string | undefined;
  return ({ code, sentence }) => {
    if (code !== last) note(`oam: ${sentence}`);
    last = code;
  };
}

const Refused = z.object({ error: z.string(), message: z.string() });

/** Asks the path as the program will, so that what is wrong is said before it starts, and in our words. */
async function firstToken(path: BrokerPath, host: string, stop: AbortSignal): Promise<void> {
  try {
    const answer = await fetch(path.url, {
      headers: { 'x-databricks-metadata-version': '1', 'x-databricks-host': host, connection: 'close' },
      signal: stop,
    });
    const body: unknown = await answer.json();
    if (answer.ok) return;
    const { error, message } = Refused.parse(body);
    throw new OamError(error, message);
  } catch (error) {
    if (stop.aborted) throw new CancelledError();
    throw error;
  }
}

/** Gives back to the end, whoever presses Ctrl-C meanwhile: it takes seconds, and the access would stay otherwise. */
async function release(work: () => Promise<void>, invocation: Invocation): Promise<void> {
  const taken = invocation.signals.take(() => {
    invocation.note('Returning the access; one moment.');
  });
  try {
    await work();
  } finally {
    taken[Symbol.dispose]();
  }
}
