import * as vscode from 'vscode';

/**
 * The lines of a tree as VS Code last got them: it knows them by their identity. A tree is drawn anew only where there is
 * something else to draw, because while VS Code draws it does not know which line a click was on.
 */
export class DrawnLines<Node> implements vscode.Disposable {
  readonly #idOf: (node: Node) => string;
  readonly #changed = new vscode.EventEmitter<Node | Node[] | undefined>();
  readonly #drawn = new Map<string, Node>();
  #shown: string | undefined;

  readonly onDidChange = this.#changed.event;

  /** @param idOf A stable id, by which VS Code keeps what is open and selected. */
  constructor(idOf: (node: Node) => string) {
    this.#idOf = idOf;
  }

  get all(): Node[] {
    return [...this.#drawn.values()];
  }

  /** The line of an id. */
  at(id: string): Node | undefined {
    return this.#drawn.get(id);
  }

  /** Remembers a line that VS Code is given now. Returns its id. */
  draw(node: Node): string {
    const id = this.#idOf(node);
    this.#drawn.set(id, node);
    return id;
  }

  /**
   * Draws everything again, unless all that the lines hang on is as it was.
   *
   * @param shown All that they hang on, but the time.
   * @param before Done before VS Code asks for the lines.
   */
  redraw(shown: unknown, before: () => void = () => undefined): void {
    const now = JSON.stringify(shown);
    if (now === this.#shown) return;
    this.#shown = now;
    this.#drawn.clear();
    before();
    this.#changed.fire(undefined);
  }

  /** Draws these lines again, and what is below them, where VS Code has them still. */
  redrawLines(nodes: readonly Node[]): void {
    const present = nodes.filter((node) => this.at(this.#idOf(node)) === node);
    if (present.length > 0) this.#changed.fire(present);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
