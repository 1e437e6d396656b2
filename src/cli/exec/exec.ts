import { basename } from 'node:path';

import { personTokenSource, roleTokenSource } from '../../broker/index.ts';
import { type CredentialKind, hasOwnPath } from '../../domain/role.ts';
import { type Session, stateFolder } from '../../identity/index.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import { chooseWorkspace, type Connection } from '../connection/connect.ts';
import { ensureSignedInAt, personAt } from '../connection/person.ts';
import { UsageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { oneLine } from '../table.ts';
import { giveBack, obtainRole } from './access.ts';
import { HAND_OVER } from './child-environment.ts';
import { type GrantUse, grantUses } from './grant-uses.ts';
import { assertLasts, assertWithinLimits, worksAlone } from './lasting.ts';
import { release } from './release.ts';
import { type ExecPlace, runProgram } from './running.ts';
import { type RunnerSession, startRunner } from './runner-session.ts';
import { removeLeftTokenFiles, tokenFolder } from './token-file.ts';

/** What `oam exec` was asked for. */
export interface ExecOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly roleId: string | undefined;
  readonly purpose: string | undefined;
  readonly ticket: string | undefined;
  readonly minutes: number | undefined;
  readonly workspace: string | undefined;
  /** Whether the program gets the person's sign-in in a file, because it speaks no metadata service. */
  readonly fileOidc: boolean;
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
  const { env } = invocation;
  for (const outlives of [false, true]) {
    await removeLeftTokenFiles(tokenFolder(env, stateFolder(env), outlives));
  }
  const code = env[HAND_OVER];
  if (code !== undefined && code !== '') {
    if (options.fileOidc) throw noOwnSignIn();
    return takenOver(code, options, connection, invocation);
  }
  const session = await connection.signedIn();
  const prepare = async (credential: CredentialKind, host: string): Promise<void> => {
    if (options.fileOidc && hasOwnPath(credential)) throw noOwnSignIn();
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
    const { session: signedIn } = connection;
    return runProgram({ host, person, source, held: undefined, session: signedIn }, options, invocation);
  }
  const access = await obtainRole(
    { ...options, roleId: options.roleId },
    {
      ...{ ...invocation, client: connection.client },
      prepare: ({ credential, workspace }) => prepare(credential, workspace.host),
      use: grantUses(env),
    },
  );
  let runner: RunnerSession | undefined;
  try {
    if (worksAlone(access.grant.role.credential))
      runner = await ownRunner(access.grant, options, connection, invocation);
    const place = await placeOf(access.grant, runner, session, connection, invocation);
    return await runProgram(place, options, invocation);
  } finally {
    await release(() => access.release(runner?.client), invocation);
  }
}

/**
 * Runs a program under a grant that somebody handed over. Nobody signs in, and the grant stays when it ends, unless a program of this
 * user had asked for it that has left it to this one.
 */
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
  let use: GrantUse | undefined;
  try {
    const grant = await runner.client.call('getGrant', {
      params: { id: runner.grantId },
      signal: invocation.signals.stop,
    });
    const { host, client } = runner;
    use = await grantUses(invocation.env)(grant, false);
    const source = roleTokenSource({ grantId: grant.id, client, redactor: invocation.redactor });
    return await runProgram({ host, source, held: { grant, client } }, options, invocation);
  } finally {
    await release(async () => {
      const { client, grantId } = runner;
      await use?.leave(() => giveBack(grantId, { ...invocation, client }));
      await runner.end();
    }, invocation);
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
  // What took its grant over has no session to end with.
  return { host, person, source, held: { grant, client }, ...(!runner && { session: connection.session }) };
}

function noOwnSignIn(): UsageError {
  return new UsageError(
    'With --file-oidc the program has your own sign-in, and this role works as somebody else. Leave --file-oidc out, or ask for a role of the kind pat or member.',
  );
}
