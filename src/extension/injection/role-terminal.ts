import * as vscode from 'vscode';

import { type Broker, type BrokerPath, pointerEnvironment, roleTokenSource } from '../../broker/index.ts';
import { OamError } from '../../domain/errors.ts';
import type { Redactor } from '../../domain/redaction.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { Stoppable } from '../changes.ts';
import { type RoleShell, roleShell } from './role-shell.ts';

/** What {@link RoleTerminals} needs. */
export interface RoleTerminalOptions {
  readonly broker: () => Promise<Broker>;
  readonly client: () => ControlPlaneClient;
  readonly redactor: Redactor;
  readonly onRefusal: (refusal: { readonly code: string; readonly sentence: string }) => void;
}

/** Terminals that act as a role, each on a path of its own that ends with the terminal. */
export class RoleTerminals implements Stoppable {
  readonly #options: RoleTerminalOptions;
  readonly #paths = new Map<vscode.Terminal, { readonly grantId: string; readonly path: BrokerPath }>();
  readonly #watch: vscode.Disposable;

  constructor(options: RoleTerminalOptions) {
    this.#options = options;
    this.#watch = vscode.window.onDidCloseTerminal((terminal) => {
      this.#paths.get(terminal)?.path.end('closed');
      this.#paths.delete(terminal);
    });
  }

  /** @throws {OamError} `untrusted_workspace`. */
  async open(grant: GrantView): Promise<void> {
    if (!vscode.workspace.isTrusted) {
      throw new OamError(
        'untrusted_workspace',
        'This folder is not trusted, so its terminals get no credentials. Trust it first.',
      );
    }
    const { client, redactor, onRefusal } = this.#options;
    const { host } = grant.role.workspace;
    const broker = await this.#options.broker();
    const path = broker.open({
      host,
      source: roleTokenSource({ grantId: grant.id, client: client(), redactor }),
      onRefusal,
    });
    const shell: RoleShell = roleShell(
      process.platform,
      vscode.env.shell,
      pointerEnvironment({ host, url: path.url }),
    );
    const terminal = vscode.window.createTerminal({
      name: vscode.l10n.t('as {0}', grant.role.title),
      iconPath: new vscode.ThemeIcon('key'),
      shellPath: shell.path,
      shellArgs: [...shell.args],
      env: { ...shell.environment },
      message: vscode.l10n.t('Databricks tools in this terminal act as the role {0}.', grant.role.title),
      // Its path ends with this window, so there is nothing to restore.
      isTransient: true,
    });
    this.#paths.set(terminal, { grantId: grant.id, path });
    terminal.show();
  }

  /**
   * Ends the paths whose grants are not active any more: a token that the broker still holds is good for a while, but
   * nobody gets it after the end.
   */
  endAllBut(grants: readonly GrantView[]): void {
    const active = new Set(grants.filter(({ state }) => state === 'active').map(({ id }) => id));
    for (const { grantId, path } of this.#paths.values()) {
      if (!active.has(grantId)) path.end('grant_ended');
    }
  }

  /** Ends every path, as at sign-out. The terminals stay, without access. */
  endAll(): void {
    for (const { path } of this.#paths.values()) path.end('signed_out');
  }

  dispose(): void {
    this.#watch.dispose();
    this.endAll();
  }
}
