import { type PersonTokenOptions, personTokenSource, roleTokenSource } from '../../broker/index.ts';
import { hostTrust } from '../../databricks/index.ts';
import { latestGrant } from '../../protocol/latest-grant.ts';
import { trustedHosts } from '../connection/address.ts';
import { chooseWorkspace, type Connection } from '../connection/connect.ts';
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
  const { transport, clock, redactor, env, signals } = invocation;
  const personIn = (host: string): PersonTokenOptions => ({
    ...{ host, session: connection.session, transport, clock, redactor },
    trust: hostTrust(trustedHosts(env)),
    principal: { iss: session.issuer, sub: session.subject },
  });
  const { client } = connection;
  const source =
    flags.grant === undefined
      ? personTokenSource(
          personIn(chooseWorkspace((await connection.configuration()).workspaces, flags.workspace).host),
        )
      : roleTokenSource({
          ...{ grantId: flags.grant, client, redactor },
          person: personIn((await latestGrant(client, flags.grant, signals.stop)).role.workspace.host),
        });
  const minted = await source.token(signals.stop);
  const expiresAt = new Date(minted.expiresAtMs).toISOString();
  invocation.answer(
    flags.json ? JSON.stringify({ accessToken: minted.accessToken, expiresAt }) : minted.accessToken,
  );
  invocation.note(`Good until ${describeMoment(minted.expiresAtMs, clock.nowMs())}. Keep it out of files.`);
}
