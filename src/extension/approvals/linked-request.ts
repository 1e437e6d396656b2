import { randomUUID } from 'node:crypto';

import * as vscode from 'vscode';

import { hasCode } from '../../domain/errors.ts';
import { ControlPlaneError, type ControlPlaneClient } from '../../protocol/client.ts';
import { approves } from '../access-view/access-data.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import { errorWords } from '../commands/error-words.ts';
import { withCancellableProgress } from '../commands/progress.ts';
import type { Connection, ConnectionState } from '../connection/connection.ts';
import { ACCESS_VIEW, APPROVALS_VIEW, commandId } from '../product.ts';
import { meansRequest, openedRequest, type RequestLink, requestLinkOf } from './request-link.ts';

/** What {@link LinkedRequests} needs. */
export interface LinkedRequestOptions {
  readonly connection: Pick<Connection, 'state' | 'onDidChange'>;
  readonly client: () => ControlPlaneClient;
  readonly model: Pick<AccessModel, 'data' | 'reload'>;
  /** Shows a request in the view "Approvals". */
  readonly reveal: (requestId: string) => Promise<void>;
}

/** Shows requests that a link in a chat or a mail names, to whoever is signed in. It decides nothing about them. */
export class LinkedRequests {
  readonly #options: LinkedRequestOptions;

  constructor(options: LinkedRequestOptions) {
    this.#options = options;
  }

  /**
   * @returns true where the address means a request.
   * @throws {OamError} whatever the control plane refuses with, other than that the link is spent.
   */
  async handle(uri: URL): Promise<boolean> {
    if (!meansRequest(uri)) return false;
    const link = requestLinkOf(uri);
    if (link === undefined) {
      void vscode.window.showWarningMessage(
        vscode.l10n.t('This link is not whole. What waits for you is under Approvals.'),
      );
    } else if (await this.#isSignedIn()) await this.#open(link);
    return true;
  }

  async #open({ id, nonce }: RequestLink): Promise<void> {
    const { client, model, reveal } = this.#options;
    try {
      const request = await withCancellableProgress(vscode.l10n.t('Opening the request'), async (signal) => {
        const opened = await client().call('openLink', {
          params: { id },
          body: { nonce },
          idempotencyKey: randomUUID(),
          signal,
        });
        await model.reload();
        return opened;
      });
      const { data } = model;
      if (data === undefined) return;
      const { view, words } = openedRequest(vscode.l10n, request, data);
      if (words === undefined) {
        await reveal(id);
        return;
      }
      await focus(view === 'access' ? ACCESS_VIEW : this.#approvals());
      void vscode.window.showInformationMessage(words);
    } catch (error) {
      if (!(error instanceof ControlPlaneError) || !hasCode(error, 'link_spent')) throw error;
      await focus(this.#approvals());
      void vscode.window.showInformationMessage(errorWords(vscode.l10n, error).message);
    }
  }

  /** The view "Approvals", where the person has it. */
  #approvals(): string {
    const { data } = this.#options.model;
    return data !== undefined && approves(data) ? APPROVALS_VIEW : ACCESS_VIEW;
  }

  /** A link may be what starts the editor, or find nobody signed in. */
  async #isSignedIn(): Promise<boolean> {
    const { connection } = this.#options;
    const kind = (): ConnectionState['kind'] => connection.state.kind;
    await settled(connection);
    if (kind() !== 'signedOut') return true;
    const signIn = vscode.l10n.t('Sign In');
    const choice = await vscode.window.showInformationMessage(
      vscode.l10n.t('Sign in to see the request that this link names.'),
      signIn,
    );
    if (choice !== signIn) return false;
    await vscode.commands.executeCommand(commandId('signIn'));
    return kind() === 'signedIn';
  }
}

function settled(connection: LinkedRequestOptions['connection']): Promise<void> {
  if (connection.state.kind !== 'starting') return Promise.resolve();
  return new Promise((resolve) => {
    const watch = connection.onDidChange((state) => {
      if (state.kind === 'starting') return;
      watch.dispose();
      resolve();
    });
  });
}

async function focus(view: string): Promise<void> {
  await vscode.commands.executeCommand(`${view}.focus`);
}
