import type { OwnSignIn } from '../../broker/index.ts';
import type { HostTrust, UserSignInPlace } from '../../databricks/index.ts';
import { CancelledError, OamError } from '../../domain/errors.ts';
import type { Clock } from '../../domain/time.ts';
import {
  type BrowserOptions,
  notSignedIn,
  principalOf,
  type SignInWorkspace,
  signInToDatabricks,
  signInWorkspaceAt,
} from '../../identity/index.ts';
import type { WorkspaceConfiguration } from '../../protocol/configuration.ts';
import type { HttpTransport } from '../../protocol/transport.ts';
import type { Connection } from './connection.ts';

/** What {@link OwnSignIns} needs. */
export interface OwnSignInsOptions {
  readonly connection: Pick<Connection, 'acting' | 'pinned'>;
  readonly trust: () => HostTrust;
  readonly transport: HttpTransport;
  readonly clock: Clock;
}

/** The sign-ins at Databricks of whoever acts, in the workspaces that want one and that the person has agreed to. */
export class OwnSignIns {
  readonly #options: OwnSignInsOptions;

  constructor(options: OwnSignInsOptions) {
    this.#options = options;
  }

  /** The workspaces that want a sign-in of their own. */
  get workspaces(): readonly WorkspaceConfiguration[] {
    const workspaces = this.#options.connection.pinned?.workspaces ?? [];
    return workspaces.filter(({ tokenSource }) => tokenSource === 'databricks-sign-in');
  }

  /** Where tokens for a workspace come from; undefined where ID tokens are exchanged. */
  at(host: string): OwnSignIn | undefined {
    const { connection } = this.#options;
    const workspace = this.#workspaceAt(host);
    if (workspace === undefined) return undefined;
    return {
      person: async (signal) => (await connection.acting()).keeper.person(signal),
      token: async (person, signal) =>
        (await connection.acting()).databricks.token(workspace, person, signal),
    };
  }

  /**
   * Signs whoever acts in at a workspace.
   *
   * @param browser How the browser goes there and comes back, as the client of the workspace is registered.
   * @throws {OamError} `not_signed_in`, `session_not_kept`, and those of {@link signInToDatabricks}.
   * @throws {CancelledError} where it was called off, or somebody else acts by its end.
   */
  async signIn(host: string, browser: (clientId: string) => BrowserOptions): Promise<void> {
    const { connection, trust, transport, clock } = this.#options;
    const workspace = this.#workspaceAt(host);
    if (workspace === undefined) {
      throw new OamError(
        'no_own_sign_in',
        'This workspace wants no sign-in of its own: yours at your company is enough there. Try again what you did.',
        { detail: host },
      );
    }
    const acting = await connection.acting();
    const session = await acting.keeper.current();
    if (session === undefined) {
      throw notSignedIn();
    }
    const place: UserSignInPlace = { ...workspace, trust: trust(), transport, clock };
    const token = await signInToDatabricks(
      place,
      {
        subject: session.subject,
        databricksAttribute: connection.pinned?.identity.databricksAttribute ?? 'externalId',
      },
      browser(workspace.clientId),
    );
    const now = await connection.acting().catch(() => undefined);
    if (now?.databricks !== acting.databricks) throw new CancelledError();
    await acting.databricks.accept(workspace, principalOf(session), token);
  }

  #workspaceAt(host: string): SignInWorkspace | undefined {
    return signInWorkspaceAt(this.workspaces, host);
  }
}
