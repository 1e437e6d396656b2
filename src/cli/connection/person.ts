import type { PersonTokenOptions } from '../../broker/index.ts';
import {
  type HostTrust,
  hostTrust,
  requireTrusted,
  trustAmong,
  type UserSignInPlace,
} from '../../databricks/index.ts';
import { hasCode } from '../../domain/errors.ts';
import type { EpochMs } from '../../domain/time.ts';
import {
  databricksCallbackPlace,
  principalOf,
  type Session,
  signInToDatabricks,
  signInWorkspaceAt,
  startCallbackServer,
} from '../../identity/index.ts';
import type { Configuration } from '../../protocol/configuration.ts';
import type { Invocation } from '../invocation.ts';
import { trustedHosts } from './address.ts';
import type { Connection } from './connect.ts';

/** The person's own tokens for a workspace, from where the company has them. */
export async function personAt(
  host: string,
  session: Session,
  connection: Connection,
  { redactor, transport, clock, env }: Invocation,
  /** Whose word it is that the person is signed in: held to the company's limits, or not where a grant is there. */
  word: Connection['withinLimits'] = connection.session,
): Promise<PersonTokenOptions> {
  const { workspaces } = await connection.configuration();
  const workspace = signInWorkspaceAt(workspaces, host);
  return {
    ...{ host, session: word, transport, clock, redactor },
    ...(workspace !== undefined && {
      ownSignIn: () => ({
        person: (signal) => word.person(signal),
        token: async (person, signal) =>
          (await connection.session.databricks()).token(workspace, person, signal),
      }),
    }),
    trust: trustIn(workspaces, env),
    principal: principalOf(session),
  };
}

/** Whatever host a role or a grant names: a sign-in goes to the workspaces of the configuration, which is pinned. */
function trustIn(workspaces: Configuration['workspaces'], env: Invocation['env']): HostTrust {
  const agreed = workspaces.map(({ host }) => host);
  return trustAmong(hostTrust(trustedHosts(env)), () => agreed);
}

/**
 * Signs the person in at a workspace that wants a sign-in of its own, unless they are.
 *
 * @returns until when there will be tokens without another sign-in, in epoch milliseconds (`Infinity` where they can be
 *   renewed); undefined where ID tokens are exchanged.
 * @throws {OamError} `untrusted_host`, `workspace_not_agreed` before anything is sent.
 */
export async function ensureSignedInAt(
  host: string,
  session: Session,
  connection: Connection,
  invocation: Invocation,
): Promise<EpochMs | undefined> {
  const { identity, workspaces } = await connection.configuration();
  const trust = trustIn(workspaces, invocation.env);
  requireTrusted(trust, host);
  const workspace = signInWorkspaceAt(workspaces, host);
  if (workspace === undefined) return undefined;
  const databricks = await connection.session.databricks();
  const person = principalOf(session);
  const { transport, clock, signals, note, notePage } = invocation;
  try {
    await databricks.token(workspace, person, signals.stop);
  } catch (error) {
    const isToSignIn = ['databricks_own_sign_in_needed', 'databricks_sign_in_ended'].some((code) =>
      hasCode(error, code),
    );
    if (!isToSignIn) throw error;
    const place: UserSignInPlace = { ...workspace, trust, transport, clock };
    const token = await signInToDatabricks(
      place,
      { subject: session.subject, databricksAttribute: identity.databricksAttribute ?? 'externalId' },
      {
        signal: signals.stop,
        listen: (state) => startCallbackServer(state, databricksCallbackPlace(workspace.clientId)),
        openBrowser(address) {
          notePage(`To sign in to Databricks, open ${address} in a browser on this machine.`);
          const port = new URL(new URL(address).searchParams.get('redirect_uri') ?? '').port;
          note(
            `(Where the browser is on another one: ssh -L ${port}:localhost:${port} to this machine first.)`,
          );
        },
      },
    );
    await databricks.accept(workspace, person, token);
  }
  return databricks.lastsUntilMs(workspace, person);
}
