import * as vscode from 'vscode';

import { withCancellableProgress } from '../commands/progress.ts';
import type { OwnSignIns } from '../connection/own-sign-ins.ts';
import {
  databricksCallback,
  type DatabricksCallbackParts,
  listenForDatabricks,
} from './databricks-callback.ts';
import { openPage } from './open-page.ts';
import type { WantedFlow } from './sign-in-flow.ts';

/** What {@link DatabricksSignIn} needs. */
export interface DatabricksSignInOptions {
  readonly ownSignIns: Pick<OwnSignIns, 'signIn'>;
  /** Told that the person does something. */
  readonly acted: () => void;
  /** The setting's present value. */
  readonly wantedFlow: () => WantedFlow;
}

/** Signs a person in at Databricks itself, in the way that works where VS Code runs. */
export class DatabricksSignIn {
  readonly #options: DatabricksSignInOptions;

  constructor(options: DatabricksSignInOptions) {
    this.#options = options;
  }

  /** @throws what {@link OwnSignIns.signIn} throws. */
  async run({ name, host }: { readonly name: string; readonly host: string }): Promise<void> {
    const { ownSignIns, acted, wantedFlow } = this.#options;
    acted();
    const surroundings = {
      ui: vscode.env.uiKind === vscode.UIKind.Web ? 'web' : 'desktop',
      remoteName: vscode.env.remoteName,
    } as const;
    const way = databricksCallback(surroundings, wantedFlow());
    await withCancellableProgress(vscode.l10n.t('Signing in to Databricks in {0}', name), (signal, say) => {
      say(vscode.l10n.t('go on in the browser'));
      return ownSignIns.signIn(host, (clientId) => ({
        signal,
        openBrowser: openPage,
        listen: (state) => listenForDatabricks(way, clientId, state, PARTS),
      }));
    });
  }
}

const PARTS: DatabricksCallbackParts = {
  externalAddress: async (address) =>
    (await vscode.env.asExternalUri(vscode.Uri.parse(address, true))).toString(true),
  async paste(isAnswer, closed) {
    const leave = new vscode.CancellationTokenSource();
    closed.addEventListener('abort', () => leave.cancel(), { once: true });
    return vscode.window.showInputBox(
      {
        title: vscode.l10n.t('Sign In to Databricks'),
        prompt: vscode.l10n.t(
          'After the sign-in your browser ends at a page of localhost that it cannot open. Copy its address from the address bar and paste it here.',
        ),
        placeHolder: 'http://localhost:8020/?code=…',
        ignoreFocusOut: true,
        validateInput: (text) =>
          text === '' || isAnswer(text)
            ? undefined
            : vscode.l10n.t('This is not the address at which this sign-in ends.'),
      },
      leave.token,
    );
  },
};
