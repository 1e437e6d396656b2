import type { Broker } from '../../broker/index.ts';
import { hasCode, type OamError } from '../../domain/errors.ts';
import { type Clock, SECOND_MS } from '../../domain/time.ts';

/** What {@link WindowBroker} needs. */
export interface WindowBrokerOptions {
  readonly start: (port: number | undefined) => Promise<Broker>;
  readonly wait: (ms: number) => Promise<void>;
  readonly clock: Clock;
  /** Told where a program of another user has taken the port of before a reload. */
  readonly onStranger: (error: OamError) => void;
}

/** After a reload the window's former process may hold the port a little longer. */
const PATIENCE_MS = 5 * SECOND_MS;
const PAUSE_MS = 200;

/** The one broker of this window, started when it is first needed. */
export class WindowBroker {
  readonly #options: WindowBrokerOptions;
  #broker: Promise<Broker> | undefined;
  #isClosed = false;

  constructor(options: WindowBrokerOptions) {
    this.#options = options;
  }

  /** The running broker; on the wanted port if it can be had, else on another. */
  ensure(wantedPort?: number): Promise<Broker> {
    if (this.#broker === undefined) {
      const starting = this.#start(wantedPort);
      this.#broker = starting;
      starting.catch(() => {
        if (this.#broker === starting) this.#broker = undefined;
      });
    }
    return this.#broker;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const broker = await this.#broker?.catch(() => undefined);
    await broker?.close();
  }

  async #start(wantedPort: number | undefined): Promise<Broker> {
    const { start, wait, clock } = this.#options;
    if (wantedPort === undefined) return start(undefined);
    const giveUpAtMs = clock.nowMs() + PATIENCE_MS;
    for (;;) {
      try {
        return await start(wantedPort);
      } catch (error) {
        if (hasCode(error, 'port_of_another_user')) {
          // Never back to it, should it be free again in a moment: whoever was there knows the paths.
          this.#options.onStranger(error);
          return start(undefined);
        }
        if (!hasCode(error, 'port_taken')) throw error;
        if (this.#isClosed || clock.nowMs() >= giveUpAtMs) return start(undefined);
        await wait(PAUSE_MS);
      }
    }
  }
}
