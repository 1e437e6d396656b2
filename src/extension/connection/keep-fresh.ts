import type { Logger } from '../../domain/logger.ts';
import { type Clock, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import type { Stoppable } from '../changes.ts';
import type { Connection } from './connection.ts';

/** What {@link KeepFresh} needs. */
export interface KeepFreshOptions {
  readonly connection: Pick<Connection, 'onDidChange' | 'refreshAtMs' | 'refresh'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Does something later; `setTimeout` in the editor. */
  readonly later: (work: () => void, delayMs: number) => Stoppable;
}

/** After a failure it is tried again so much later, and twice as much each time, up to the second figure. */
const FIRST_RETRY_MS = 30 * SECOND_MS;
const LAST_RETRY_MS = 5 * MINUTE_MS;

/** No timer is set for longer: a machine that slept would overshoot it by as much. */
const LONGEST_WAIT_MS = 5 * MINUTE_MS;

/**
 * Refreshes the session ahead of its end though nobody asks: what other extensions hold of it stays good, and who comes
 * back after lunch does not wait. Trouble on the network signs nobody out.
 */
export class KeepFresh implements Stoppable {
  readonly #options: KeepFreshOptions;
  readonly #watch: Stoppable;
  #timer: Stoppable | undefined;
  #failures = 0;
  #isBusy = false;
  #isDisposed = false;

  constructor(options: KeepFreshOptions) {
    this.#options = options;
    this.#watch = options.connection.onDidChange(() => {
      this.#failures = 0;
      this.#plan();
    });
    this.#plan();
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#watch.dispose();
    this.#timer?.dispose();
  }

  #plan(): void {
    this.#timer?.dispose();
    this.#timer = undefined;
    const { connection, clock, later } = this.#options;
    const dueAtMs = connection.refreshAtMs;
    if (dueAtMs === undefined || this.#isBusy || this.#isDisposed) return;
    const untilDueMs = Math.min(LONGEST_WAIT_MS, Math.max(0, dueAtMs - clock.nowMs()));
    const pauseMs =
      this.#failures === 0 ? SECOND_MS : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    this.#timer = later(() => void this.#look(), Math.max(untilDueMs, pauseMs));
  }

  async #look(): Promise<void> {
    const { connection, clock, logger } = this.#options;
    const dueAtMs = connection.refreshAtMs;
    if (dueAtMs !== undefined && clock.nowMs() >= dueAtMs) {
      this.#isBusy = true;
      try {
        await connection.refresh();
        // A provider that gives the same token again is not asked every second.
        this.#failures = connection.refreshAtMs === dueAtMs ? this.#failures + 1 : 0;
      } catch (error) {
        this.#failures += 1;
        logger.info('The session could not be refreshed ahead of its end', { error: String(error) });
      } finally {
        this.#isBusy = false;
      }
    }
    this.#plan();
  }
}
