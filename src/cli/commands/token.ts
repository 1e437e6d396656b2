import {
  type PersonTokenOptions,
  personTokenSource,
  roleTokenSource,
  type TokenSource,
} from '../../broker/index.ts';
import { latestGrant } from '../../protocol/latest-grant.ts';
import { chooseWorkspace, type Connection } from '../connection/connect.ts';
import { ensureSignedInAt, personAt } from '../connection/person.ts';
import { describeMoment } from '../duration.ts';
import type { CommonFlags, Invocation } from '../invocation.ts';

/**
 * `oam token`: the one command that shows a token, for tools that take nothing else. It is the answer and nothing else
 * is, so that it can go into a pipe.
 */
export async function token(
  flags: CommonFlags & { readonly workspace?: string; readonly grant?: string },
  connection: Connection,
  invocation: Invocation,
): Promise<void> {
  const session = await connection.signedIn();
  const { clock, redactor, signals } = invocation;
  const { client } = connection;
  const personIn = (host: string): Promise<PersonTokenOptions> =>
    personAt(host, session, connection, invocation);
  const everyday = async (): Promise<TokenSource> => {
    const { workspaces } = await connection.configuration();
    const { host } = chooseWorkspace(workspaces, flags.workspace);
    await ensureSignedInAt(host, session, connection, invocation);
    return personTokenSource(await personIn(host));
  };
  let exposes = 'Keep it out of files.';
  const ofGrant = async (grantId: string): Promise<TokenSource> => {
    const { role } = await latestGrant(client, grantId, signals.stop);
    if (role.credential === 'pat') {
      exposes =
        'It is a personal access token: whoever has it works as the role from anywhere, until it expires or the access ends. ' +
        'Keep it out of files, logs and shell histories.';
    }
    return roleTokenSource({
      ...{ grantId, client, redactor },
      person: await personIn(role.workspace.host),
      session: () => session.signInId,
    });
  };
  const source = await (flags.grant === undefined ? everyday() : ofGrant(flags.grant));
  const minted = await source.token(signals.stop);
  const expiresAt = new Date(minted.expiresAtMs).toISOString();
  invocation.answer(
    flags.json ? JSON.stringify({ accessToken: minted.accessToken, expiresAt }) : minted.accessToken,
  );
  invocation.note(`Good until ${describeMoment(minted.expiresAtMs, clock.nowMs())}. ${exposes}`);
}
