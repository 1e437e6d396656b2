import * as vscode from 'vscode';

import { SNAPSHOT_SCHEME } from './product.ts';

/** So many documents stay readable; older ones are made anew by the command that made them. */
const KEPT = 20;

/**
 * Documents to read that a command made: they say what was so when they were made, do not change, and close without a
 * question.
 */
export class SnapshotDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #texts = new Map<string, string>();
  readonly #registration: vscode.Disposable;
  #number = 0;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(SNAPSHOT_SCHEME, this);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return (
      this.#texts.get(uri.toString()) ??
      vscode.l10n.t('This was made in an earlier window. Run the command that showed it again.')
    );
  }

  /** Shows Markdown as a page. */
  async showPage(title: string, text: string): Promise<void> {
    await vscode.commands.executeCommand('markdown.showPreview', this.#keep(`${title}.md`, text));
  }

  /** Shows a text as it is. */
  async showText(name: string, text: string): Promise<void> {
    const document = await vscode.workspace.openTextDocument(this.#keep(name, text));
    await vscode.window.showTextDocument(document, { preview: true });
  }

  dispose(): void {
    this.#registration.dispose();
    this.#texts.clear();
  }

  #keep(name: string, text: string): vscode.Uri {
    this.#number += 1;
    // VS Code tells previews apart by the path alone.
    const path = `/${this.#number}/${name.replaceAll(/[/\\?#]/g, ' ')}`;
    const uri = vscode.Uri.from({ scheme: SNAPSHOT_SCHEME, path });
    this.#texts.set(uri.toString(), text);
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > KEPT && oldest !== undefined) this.#texts.delete(oldest);
    return uri;
  }
}
