/**
 * Runs one thing at a time for each key: who asks again while it runs gets the running one, so that a second click
 * does nothing twice.
 */
export class SingleFlight {
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #onChange: (key: string, isRunning: boolean) => void;

  constructor(onChange: (key: string, isRunning: boolean) => void = () => undefined) {
    this.#onChange = onChange;
  }

  /** Settles as the running piece of work does, whoever began it. */
  async run(key: string, work: () => Promise<void>): Promise<void> {
    const running = this.#running.get(key);
    if (running !== undefined) {
      await running;
      return;
    }
    const started = (async () => {
      try {
        await work();
      } finally {
        this.#running.delete(key);
        this.#onChange(key, false);
      }
    })();
    this.#running.set(key, started);
    this.#onChange(key, true);
    await started;
  }
}
