/** Something that stops when disposed, in VS Code's form. */
export interface Stoppable {
  dispose(): void;
}

/** Tells listeners about changes; for the parts that do not load VS Code. */
export class Changes<T> implements Stoppable {
  readonly #listeners = new Set<(value: T) => void>();

  /** Listens until disposed. */
  readonly on = (listener: (value: T) => void): Stoppable => {
    this.#listeners.add(listener);
    return { dispose: () => void this.#listeners.delete(listener) };
  };

  /**
   * Tells everybody. What a listener throws goes where the editor reports what nobody caught: a view that cannot be
   * drawn does not keep the next listener from closing a path.
   */
  fire(value: T): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(value);
      } catch (failure) {
        queueMicrotask(() => {
          throw failure;
        });
      }
    }
  }

  dispose(): void {
    this.#listeners.clear();
  }
}
