/** Everything is being stopped: what was about to start does not. */
export class Stopped extends Error {
  constructor() {
    super('Everything is being stopped.');
    this.name = 'Stopped';
  }
}

/**
 * Undoes what was set up, the last first. One that fails does not keep the others from being undone. It may begin at
 * any moment, also while something is half-way up: that is told to give up, and waited for.
 */
export class Cleanup {
  readonly #undo: (() => unknown)[] = [];
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  /** To be undone later; at once where everything has been undone already. */
  add(undo: () => unknown): void {
    this.#undo.push(undo);
    if (this.#running !== undefined) this.#running = this.#running.then(() => this.#runAll());
  }

  /**
   * Begins something whose undoing is certain from this moment on, not only from when it is up.
   *
   * @param begin Gives up when the signal fires, and leaves nothing behind when it fails.
   * @throws Stopped where everything is being stopped.
   */
  async start<T>(
    begin: (signal: AbortSignal) => Promise<T>,
    undo: (begun: T) => unknown = () => undefined,
  ): Promise<T> {
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    const beginning = begin(signal);
    this.add(async () => {
      const begun = await beginning.then(
        (value) => ({ value }),
        () => undefined,
      );
      if (begun !== undefined) await undo(begun.value);
    });
    const begun = await beginning;
    signal.throwIfAborted();
    return begun;
  }

  /** Runs once, however often it is asked. */
  run(): Promise<void> {
    this.#stopping.abort(new Stopped());
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
 * Runs `cleanup` on Ctrl-C, SIGTERM and a closed terminal, then ends the process as the signal would have; also where
 * they stopped the npm that started it. A second Ctrl-C does not interrupt the cleaning: half of it would leave servers
 * behind.
 */
export function cleanUpOnSignals(cleanup: Cleanup, onSignal: () => void = () => undefined): void {
  const end = (code: number): void => {
    onSignal();
    void cleanup.run().then(() => {
      process.exit(code);
    });
  };
  for (const [signal, code] of Object.entries(CODES)) {
    process.on(signal, () => {
      end(code);
    });
  }
  whenOrphaned(() => {
    end(CODES.SIGTERM);
  });
}

/** With what a process ends that a signal stops. */
export const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const ORPHANED_AFTER_MS = 500;

/**
 * Tells when the process that started this one is gone. npm runs scripts in a shell, which passes no signal on: where
 * npm is stopped, nobody tells the script. What others started may well outlive them.
 */
export function whenOrphaned(tell: () => void): Disposable {
  const parent = process.ppid;
  const watch =
    process.env['npm_lifecycle_event'] === undefined
      ? undefined
      : setInterval(() => {
          if (process.ppid === parent) return;
          clearInterval(watch);
          tell();
        }, ORPHANED_AFTER_MS).unref();
  return {
    [Symbol.dispose]: () => {
      clearInterval(watch);
    },
  };
}
