import * as vscode from 'vscode';

import type { Logger } from '../../domain/logger.ts';
import type { Clock } from '../../domain/time.ts';
import type { BackgroundView } from '../../protocol/background.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import type { AccessModel } from '../access-view/access-model.ts';
import { REQUEST_SCHEME } from '../product.ts';

/** What {@link RequestDocuments} needs. */
export interface RequestDocumentOptions {
  readonly client: () => ControlPlaneClient;
  readonly model: Pick<AccessModel, 'data' | 'onDidChange'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Requests as documents to read, which follow what happens to them: who has one open sees that somebody else decided.
 */
export class RequestDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #options: RequestDocumentOptions;
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #parts: vscode.Disposable;

  readonly onDidChange = this.#changed.event;

  constructor(options: RequestDocumentOptions) {
    this.#options = options;
    this.#parts = vscode.Disposable.from(
      vscode.workspace.registerTextDocumentContentProvider(REQUEST_SCHEME, this),
      options.model.onDidChange(() => this.#refresh()),
      this.#changed,
    );
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const { client, model, clock } = this.#options;
    const id = uri.query;
    const [request, background, { requestDocument }] = await Promise.all([
      client().call('getRequest', { params: { id } }),
      readBackground(client(), id, this.#options.logger),
      import('./request-document.ts'),
    ]);
    return requestDocument(
      { l10n: vscode.l10n, locale: vscode.env.language, nowMs: clock.nowMs() },
      {
        request,
        background,
        waitsForReader: model.data?.toApprove.some((waiting) => waiting.id === id) === true,
      },
    );
  }

  async show(request: RequestView): Promise<void> {
    const uri = uriOf(request);
    await vscode.commands.executeCommand('markdown.showPreview', uri);
  }

  dispose(): void {
    this.#parts.dispose();
  }

  #refresh(): void {
    for (const { uri } of vscode.workspace.textDocuments) {
      if (uri.scheme === REQUEST_SCHEME) this.#changed.fire(uri);
    }
  }
}

/** The background of a request; undefined where it cannot be read, which keeps nobody from deciding. */
export async function readBackground(
  client: ControlPlaneClient,
  id: string,
  logger: Logger,
  signal?: AbortSignal,
): Promise<BackgroundView | undefined> {
  try {
    return await client.call('getBackground', { params: { id }, ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    logger.info('The background of a request could not be read', { error: String(error) });
    return undefined;
  }
}

/** The last part of the path is the title of the tab; VS Code tells previews apart by the whole of it alone. */
function uriOf({ id, requester, role }: RequestView): vscode.Uri {
  const title = `${requester.displayName} · ${role.title}`.replaceAll(/[/\\?#]/g, ' ');
  return vscode.Uri.from({ scheme: REQUEST_SCHEME, path: `/${id}/${title}.md`, query: id });
}
