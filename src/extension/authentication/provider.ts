import * as vscode from 'vscode';

import type { Session } from '../../identity/index.ts';
import type { Connection } from '../connection/connection.ts';

/** What {@link OamAuthenticationProvider} needs. */
export interface ProviderOptions {
  readonly connection: Pick<
    Connection,
    'accounts' | 'scopes' | 'state' | 'onDidChange' | 'onDidChangeAccounts' | 'signOut'
  >;
  /** Signs somebody in beside those who are known; the hint is who it should be. */
  readonly addAccount: (userName: string | undefined) => Promise<Session>;
}

/**
 * The accounts as VS Code shows them and as other extensions may ask for them: the access token for the control plane,
 * never the subject token for a workspace and never a refresh token. The one that acts comes first.
 */
export class OamAuthenticationProvider implements vscode.AuthenticationProvider, vscode.Disposable {
  readonly #options: ProviderOptions;
  readonly #changed =
    new vscode.EventEmitter<vscode.AuthenticationProviderAuthenticationSessionsChangeEvent>();
  readonly #watch: vscode.Disposable;
  #told: readonly vscode.AuthenticationSession[];

  readonly onDidChangeSessions = this.#changed.event;

  constructor(options: ProviderOptions) {
    this.#options = options;
    this.#told = this.#shown();
    const tell = (): void => this.#tell();
    this.#watch = vscode.Disposable.from(
      options.connection.onDidChange(tell),
      options.connection.onDidChangeAccounts(tell),
    );
  }

  /** Silent, and without the network. */
  getSessions(
    scopes?: readonly string[],
    { account }: vscode.AuthenticationProviderSessionOptions = {},
  ): Promise<vscode.AuthenticationSession[]> {
    const granted = new Set(this.#options.connection.scopes);
    const isCovered = (scopes ?? []).every((scope) => granted.has(scope));
    const wanted = this.#shown().filter(
      (session) => account === undefined || session.account.id === account.id,
    );
    return Promise.resolve(isCovered ? wanted : []);
  }

  async createSession(
    _scopes: readonly string[] = [],
    { account }: vscode.AuthenticationProviderSessionOptions = {},
  ): Promise<vscode.AuthenticationSession> {
    const id = sessionId(await this.#options.addAccount(account?.label));
    const session = this.#shown().find((shown) => shown.id === id);
    if (session === undefined) throw new vscode.CancellationError();
    return session;
  }

  async removeSession(id: string): Promise<void> {
    const { connection } = this.#options;
    const account = connection.accounts.find(
      ({ session }) => session !== undefined && sessionId(session) === id,
    );
    if (account !== undefined) await connection.signOut(account.key);
  }

  dispose(): void {
    this.#watch.dispose();
    this.#changed.dispose();
  }

  #shown(): vscode.AuthenticationSession[] {
    const { accounts, scopes } = this.#options.connection;
    return accounts.flatMap(({ session }) => (session === undefined ? [] : [shown(session, scopes)]));
  }

  #tell(): void {
    // While the sessions are read nothing is known, which is no sign-out.
    if (this.#options.connection.state.kind === 'starting') return;
    const before = new Map(this.#told.map((session) => [session.id, session]));
    this.#told = this.#shown();
    const after = new Set(this.#told.map(({ id }) => id));
    const added = this.#told.filter(({ id }) => !before.has(id));
    const removed = [...before.values()].filter(({ id }) => !after.has(id));
    const changed = this.#told.filter(({ id, accessToken }) => {
      const former = before.get(id);
      return former !== undefined && former.accessToken !== accessToken;
    });
    if (added.length + removed.length + changed.length > 0) this.#changed.fire({ added, removed, changed });
  }
}

function shown(session: Session, scopes: readonly string[]): vscode.AuthenticationSession {
  return {
    id: sessionId(session),
    accessToken: session.accessToken,
    account: { id: sessionId(session), label: session.userName },
    scopes: [...scopes],
  };
}

function sessionId({ issuer, subject }: Session): string {
  return `${issuer}#${subject}`;
}
