import * as vscode from 'vscode';

import { LinkedRequests } from './approvals/linked-request.ts';
import { OamAuthenticationProvider } from './authentication/provider.ts';
import { uriHandler } from './authentication/uri-handler.ts';
import { commandTable } from './command-table.ts';
import { registerCommands } from './commands/register.ts';
import { showError } from './commands/show-error.ts';
import { createContainer } from './container.ts';
import { denialRequests } from './denials/denial-requests.ts';
import { watchDenials } from './denials/watch-denials.ts';
import { EXTENSION, PRODUCT } from './product.ts';
import { wireReactions } from './reactions.ts';
import { ownAccess } from './requests/own-access.ts';
import { createViews } from './views.ts';

/** Starts the extension. Nothing is waited for: pointers of before a reload are in place when this returns. */
export function activate(context: vscode.ExtensionContext): void {
  const container = createContainer(context);
  container.injection.start();
  const views = createViews(container);
  const own = ownAccess({ ...container, memory: container.requestMemory });
  const denials = denialRequests({ ...container, own, run: container.runAndTell });
  const linked = new LinkedRequests({ ...container, reveal: (id) => views.revealRequest(id) });
  const provider = new OamAuthenticationProvider({
    connection: container.connection,
    async addAccount(userName) {
      try {
        return await container.signIn.run({
          seat: 'isAdded',
          who: userName === undefined ? undefined : { userName },
        });
      } catch (error) {
        void showError(error, container.logger);
        throw error;
      }
    },
  });
  context.subscriptions.push(
    container,
    views,
    wireReactions(container, context, views),
    registerCommands(commandTable(container, views, own, denials), container.logger),
    watchDenials(denials),
    provider,
    vscode.authentication.registerAuthenticationProvider(EXTENSION, PRODUCT, provider, {
      supportsMultipleAccounts: true,
    }),
    vscode.window.registerUriHandler(uriHandler(container.uriCallbacks, linked, container.logger)),
  );
  void start(container);
}

async function start({ connection, logger }: ReturnType<typeof createContainer>): Promise<void> {
  try {
    await connection.start();
  } catch (error) {
    void showError(error, logger);
  }
  if (connection.state.kind !== 'signedIn') return;
  try {
    await connection.checkTrust(AbortSignal.timeout(60_000));
  } catch (error) {
    // Away, or not agreed to: what is pinned stays, and the next sign-in asks again.
    logger.info('Whom the control plane names could not be compared', { error: String(error) });
  }
}
