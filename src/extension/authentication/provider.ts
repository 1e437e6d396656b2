import * as vscode from 'vscode';

import type { Session } from '../../identity/index.ts';
import type { Connection, ConnectionState } from '../connection/connection.ts';
import { commandId } from '../product.ts';

/**
 * The account as VS Code shows it and as other extensions may ask for it: the access token for the control plane,
 * never the subject token for a workspace and never a refresh token.
 */
export class OamAuthenticationProvider implements vscode.AuthenticationProvider, vscode.Disposable {
  readonly #connection: Connection;
  readonly #changed =
    new vscode.EventEmitter<vscode.AuthenticationProviderAuthenticationSessionsChangeEvent>();
  readonly #watch: vscode.Disposable;
  #told: vscode.AuthenticationSession | undefined;

  readonly onDidChangeSessions = this.#changed.event;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#told = shown(connection.state);
    this.#watch = connection.onDidChange((state) => this.#tell(state));
  }

  /** Silent, and without the network. */
  getSessions(scopes?: readonly string[]): Promise<vscode.AuthenticationSession[]> {
    const session = shown(this.#connection.state);
    const granted = new Set(session?.scopes ?? []);
    const isCovered = (scopes ?? []).every((scope) => granted.has(scope));
    return Promise.resolve(session === undefined || !isCovered ? [] : [session]);
  }

  async createSession(): Promise<vscode.AuthenticationSession> {
    await vscode.commands.executeCommand(commandId('signIn'));
    const session = shown(this.#connection.state);
    if (session === undefined) throw new vscode.CancellationError();
    return session;
  }

  async removeSession(): Promise<void> {
    await this.#connection.signOut();
  }

  dispose(): void {
    this.#watch.dispose();
    this.#changed.dispose();
  }

  #tell(state: ConnectionState): void {
    // While the session is read nothing is known, which is no sign-out.
    if (state.kind === 'starting') return;
    const before = this.#told;
    const after = shown(state);
    this.#told = after;
    if (before?.id === after?.id) {
      if (before !== undefined && after !== undefined && before.accessToken !== after.accessToken) {
        this.#changed.fire({ added: [], removed: [], changed: [after] });
      }
      return;
    }
    this.#changed.fire({
      added: after === undefined ? [] : [after],
      removed: before === undefined ? [] : [before],
      changed: [],
    });
  }
}

function shown(state: ConnectionState): vscode.AuthenticationSession | undefined {
  if (state.kind !== 'signedIn') return undefined;
  const { session } = state;
  return {
    id: sessionId(session),
    accessToken: session.accessToken,
    account: { id: sessionId(session), label: session.userName },
    scopes: [...state.trust.identity.scopes],
  };
}

function sessionId({ issuer, subject }: Session): string {
  return `${issuer}#${subject}`;
}
