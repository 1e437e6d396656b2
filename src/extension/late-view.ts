import * as vscode from 'vscode';

/** A view that few people have: it is loaded when the first of them signs in, and keeps nobody else's editor waiting. */
export class LateView implements vscode.Disposable {
  readonly #context: string;
  readonly #load: () => Promise<vscode.Disposable>;
  #loading: Promise<vscode.Disposable> | undefined;
  #shown: boolean | undefined;
  #isDisposed = false;

  /**
   * @param context The context key that shows the view.
   * @param load Makes what fills it.
   */
  constructor(context: string, load: () => Promise<vscode.Disposable>) {
    this.#context = context;
    this.#load = load;
  }

  /** Shows it to whom it is for. What fills it is there before it is seen. */
  showIf(isFor: boolean): void {
    if (isFor === this.#shown) return;
    this.#shown = isFor;
    if (isFor) this.#loading ??= this.#begin();
    void (this.#loading ?? Promise.resolve()).then(() =>
      vscode.commands.executeCommand('setContext', this.#context, this.#shown),
    );
  }

  dispose(): void {
    this.#isDisposed = true;
    void this.#loading?.then((loaded) => loaded.dispose() as unknown);
  }

  async #begin(): Promise<vscode.Disposable> {
    const loaded = await this.#load();
    if (this.#isDisposed) loaded.dispose();
    return loaded;
  }
}
