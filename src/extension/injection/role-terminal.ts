import * as vscode from 'vscode';

import { type BrokerPath, pointerEnvironment } from '../../broker/index.ts';
import { CancelledError, OamError } from '../../domain/errors.ts';
import type { GrantView } from '../../protocol/schemas.ts';
import type { Stoppable } from '../changes.ts';
import type { RolePaths } from './role-paths.ts';
import { type RoleShell, roleShell } from './role-shell.ts';

/** Terminals that act as a role, each on a path of its own that ends with the terminal. */
export class RoleTerminals implements Stoppable {
  readonly #paths: RolePaths;
  readonly #terminals = new Map<vscode.Terminal, { readonly path: BrokerPath; readonly grant: GrantView }>();
  readonly #watch: vscode.Disposable;

  constructor(paths: RolePaths) {
    this.#paths = paths;
    this.#watch = vscode.window.onDidCloseTerminal((terminal) => {
      const opened = this.#terminals.get(terminal);
      if (opened !== undefined) paths.close(opened.path);
      this.#terminals.delete(terminal);
    });
  }

  /**
   * @throws {OamError} `untrusted_workspace`, and what {@link RolePaths.open} throws.
   * @throws {CancelledError} where the signal fired before the terminal was there.
   */
  async open(grant: GrantView, signal: AbortSignal): Promise<void> {
    if (!vscode.workspace.isTrusted) {
      throw new OamError(
        'untrusted_workspace',
        'This folder is not trusted, so its terminals get no credentials. Trust it first.',
      );
    }
    const path = await this.#paths.open(grant);
    if (signal.aborted) {
      this.#paths.close(path);
      throw new CancelledError();
    }
    const { host } = grant.role.workspace;
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
    this.#terminals.set(terminal, { path, grant });
    terminal.show();
  }

  /** Those that are open, and the grant that each began with. */
  all(): { readonly grant: GrantView; show(): void }[] {
    return [...this.#terminals].map(([terminal, { grant }]) => ({ grant, show: () => terminal.show() }));
  }

  dispose(): void {
    this.#watch.dispose();
    // The terminals stay, without access.
    for (const { path } of this.#terminals.values()) this.#paths.close(path);
  }
}
