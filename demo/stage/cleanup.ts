/** Undoes what was set up, the last first. One that fails does not keep the others from being undone. */
export class Cleanup {
  readonly #undo: (() => unknown)[] = [];
  #running: Promise<void> | undefined;

  add(undo: () => unknown): void {
    if (this.#running !== undefined) {
      // Set-up went on while everything was being stopped: what it made must go too.
      void (async () => {
        await undo();
      })();
      return;
    }
    this.#undo.push(undo);
  }

  /** Runs once, however often it is asked. */
  run(): Promise<void> {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  async #runAll(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (error) {
        if (process.exitCode === undefined || process.exitCode === 0) process.exitCode = 1;
        console.error(`Could not clean up: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}

/**
 * Runs `cleanup` on Ctrl-C, SIGTERM and a closed terminal, then ends the process as the signal would have.
 * A second Ctrl-C does not interrupt the cleaning: half of it would leave servers behind.
 */
export function cleanUpOnSignals(cleanup: Cleanup, onSignal: () => void = () => undefined): void {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  for (const [signal, code] of Object.entries(codes)) {
    process.on(signal, () => {
      onSignal();
      void cleanup.run().then(() => {
        process.exit(code);
      });
    });
  }
}
