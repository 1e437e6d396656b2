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
import { hostTrust } from '../../databricks/index.ts';
import { CancelledError, OamError } from '../../domain/errors.ts';
import { hasOwnPath } from '../../domain/role.ts';
import { MINUTE_MS } from '../../domain/time.ts';
import type { Session } from '../../identity/index.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { trustedHosts } from '../connection/address.ts';
import { chooseWorkspace, type Connection } from '../connection/connect.ts';
import { describeMoment } from '../duration.ts';
import { UsageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { oneLine } from '../table.ts';
import { obtainRole, type RoleAccess } from './access.ts';
import { runChild } from './child.ts';
import { childEnvironment } from './child-environment.ts';
import { watchGrant } from './grant-watch.ts';

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
  const session = await connection.signedIn();
  assertLasts(session, options.minutes, invocation.clock.nowMs());
  const access =
    options.roleId === undefined
      ? undefined
      : await obtainRole(
          { ...options, roleId: options.roleId },
          { ...invocation, client: connection.client },
        );
  try {
    const place = await placeOf(access, session, options, connection, invocation);
    return await runWithBroker(place, options, connection, invocation);
  } finally {
    await release(access, invocation);
  }
}

/** Where and as whom the program works. */
interface ExecPlace {
  readonly host: string;
  readonly source: TokenSource;
  /** The grant that the program works under; absent where it has the person's everyday access only. */
  readonly grant: GrantView | undefined;
}

async function placeOf(
  access: RoleAccess | undefined,
  session: Session,
  options: ExecOptions,
  connection: Connection,
  invocation: Invocation,
): Promise<ExecPlace> {
  const { redactor, transport, clock, env } = invocation;
  const host =
    access?.grant.role.workspace.host ??
    chooseWorkspace((await connection.configuration()).workspaces, options.workspace).host;
  const person = {
    ...{ host, session: connection.session, transport, clock, redactor },
    trust: hostTrust(trustedHosts(env)),
    principal: { iss: session.issuer, sub: session.subject },
  };
  const { client } = connection;
  const source =
    access !== undefined && hasOwnPath(access.grant.role.credential)
      ? roleTokenSource({ grantId: access.grant.id, client, redactor, person })
      : personTokenSource(person);
  return { host, source, grant: access?.grant };
}

async function runWithBroker(
  place: ExecPlace,
  options: ExecOptions,
  connection: Connection,
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
    const watch = place.grant && watchWhileRunning(place.grant, path, connection, note);
    try {
      return await runChild({ ...options, env, signals, atTerminal: invocation.atTerminal });
    } finally {
      watch?.[Symbol.dispose]();
    }
  } finally {
    await broker.close();
  }
}

/** Ends a role's path with its grant. A person's path stays: it answers as the person, who has less now. */
function watchWhileRunning(
  grant: GrantView,
  path: BrokerPath,
  { client }: Connection,
  note: (line: string) => void,
): Disposable {
  return watchGrant({
    grantId: grant.id,
    client,
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

/** Refuses to start what cannot be carried through: without a refresh token a session ends with its tokens. */
function assertLasts(session: Session, minutes: number | undefined, now: number): void {
  if (minutes === undefined || session.refreshToken !== undefined) return;
  const endsAtMs = Math.min(session.accessTokenExpiresAtMs, session.idTokenExpiresAtMs);
  if (endsAtMs >= now + minutes * MINUTE_MS) return;
  throw new OamError(
    'session_too_short',
    'Your session cannot be renewed and ends before the time that you need, so nothing was started. Ask your admin to allow the scope offline_access, or ask for less with --for.',
    { detail: `it ends at ${describeMoment(endsAtMs, now)}` },
  );
}

/** Gives back to the end, whoever presses Ctrl-C meanwhile: it takes seconds, and the access would stay otherwise. */
async function release(access: RoleAccess | undefined, invocation: Invocation): Promise<void> {
  if (access === undefined) return;
  const taken = invocation.signals.take(() => {
    invocation.note('Returning the access; one moment.');
  });
  try {
    await access.release();
  } finally {
    taken[Symbol.dispose]();
  }
}
