import { OamError } from '../../domain/errors.ts';
import type { EpochMs } from '../../domain/time.ts';
import { principalOf, type Session, signInWorkspaceAt } from '../../identity/index.ts';
import type { Configuration } from '../../protocol/configuration.ts';
import { chooseWorkspace, type Connection } from '../connection/connect.ts';
import { ensureSignedInAt } from '../connection/person.ts';
import { describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';
import { oneLine } from '../table.ts';

/** `oam login` */
export async function login(
  flags: CommonFlags & { readonly workspace?: string },
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  if (!connection.kept) {
    throw new OamError(
      'no_keychain',
      'This machine has no keychain that could keep a session, and a session is never kept in a plain file. Leave `oam login` out: the other commands sign in by themselves, each for as long as it runs.',
    );
  }
  const session = await connection.signIn();
  invocation.answer(`Signed in as ${whoIs(session)}.`);
  const { workspaces } = await connection.configuration();
  const ownSignIns = workspaces.filter(({ tokenSource }) => tokenSource === 'databricks-sign-in');
  const named = flags.workspace === undefined ? undefined : chooseWorkspace(workspaces, flags.workspace);
  const chosen = named ?? (ownSignIns.length === 1 ? ownSignIns[0] : undefined);
  if (chosen !== undefined) {
    const untilMs = await ensureSignedInAt(chosen.host, session, connection, invocation);
    if (untilMs !== undefined) invocation.answer(`Signed in to Databricks in ${chosen.name}.`);
  } else if (ownSignIns.length > 0) {
    const names = ownSignIns.map(({ name }) => name).join(', ');
    invocation.note(
      `These workspaces want a sign-in of their own, when you first use them: ${oneLine(names)}`,
    );
  }
}

/** `oam logout` */
export async function logout(connection: Connection, invocation: Invocation): Promise<void> {
  // What was issued to the session is given back with a token that is good; where there is none, it ends with its access.
  await connection.session.accessToken(invocation.signals.stop).catch(() => undefined);
  const session = await connection.session.signOut();
  if (session === undefined) {
    invocation.answer('Nobody is signed in.');
    return;
  }
  invocation.answer(`Signed out ${whoIs(session)}.`);
}

/** `oam status` */
export async function status(
  connection: Connection,
  flags: CommonFlags,
  invocation: Invocation,
): Promise<void> {
  const { version, workspaces, sessions } = await connection.configuration();
  // To look is no use of a session: it must not keep one alive for ever.
  await connection.session.hold(sessions, false);
  const session = await connection.session.current();
  const ended = connection.session.ended();
  const nowMs = invocation.clock.nowMs();
  const atDatabricks = await signInsAtDatabricks(workspaces, session, connection, nowMs);
  if (flags.json) {
    const person = session && {
      issuer: session.issuer,
      subject: session.subject,
      userName: session.userName,
      displayName: session.displayName,
    };
    invocation.answer(
      JSON.stringify({
        url: connection.url,
        version,
        workspaces,
        databricks: atDatabricks.map(({ name, untilMs }) => ({
          workspace: name,
          signedIn: untilMs !== undefined,
          until: untilMs === undefined || untilMs === Infinity ? null : new Date(untilMs).toISOString(),
        })),
        signedIn: person ?? null,
        ended: ended?.code ?? null,
        kept: connection.kept,
      }),
    );
    return;
  }
  invocation.answer(`Control plane  ${connection.url} (version ${version})`);
  for (const { name, host } of workspaces) invocation.answer(`Workspace      ${name}, ${host}`);
  if (ended !== undefined) invocation.answer(`Signed in      nobody; ${ended.message}`);
  else if (session === undefined) {
    invocation.answer(
      connection.kept
        ? 'Signed in      nobody; sign in with: oam login'
        : 'Signed in      nobody; there is no keychain, so each command signs in by itself',
    );
  }
  if (session === undefined) return;
  const until =
    session.refreshToken === undefined ? `, until ${describeMoment(session.idTokenExpiresAtMs, nowMs)}` : '';
  invocation.answer(`Signed in      ${whoIs(session)}${until}`);
  if (connection.kept) {
    invocation.answer(
      "Kept           in this machine's keychain, which VS Code shares where its setting says so",
    );
  }
  for (const { name, untilMs } of atDatabricks) {
    const stands =
      untilMs === undefined
        ? `not signed in; sign in with: oam login --workspace ${name}`
        : untilMs === Infinity
          ? 'signed in, and renewed as it is used'
          : `signed in, until ${describeMoment(untilMs, nowMs)}`;
    invocation.answer(`Databricks     ${oneLine(`${name}, ${stands}`)}`);
  }
}

/** How whoever is signed in stands at each workspace that wants a sign-in of its own, as far as this machine knows. */
async function signInsAtDatabricks(
  workspaces: Configuration['workspaces'],
  session: Session | undefined,
  connection: Connection,
  nowMs: EpochMs,
): Promise<{ readonly name: string; readonly untilMs: EpochMs | undefined }[]> {
  if (session === undefined) return [];
  const databricks = await connection.session.databricks();
  const all = workspaces.map(async ({ name, host }) => {
    const workspace = signInWorkspaceAt(workspaces, host);
    if (workspace === undefined) return [];
    const untilMs = await databricks.lastsUntilMs(workspace, principalOf(session));
    return [{ name, untilMs: untilMs !== undefined && untilMs > nowMs ? untilMs : undefined }];
  });
  return (await Promise.all(all)).flat();
}

function whoIs(session: Session): string {
  return oneLine(`${session.displayName} (${session.userName})`);
}
