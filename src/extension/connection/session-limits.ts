import type { Logger } from '../../domain/logger.ts';
import { type Clock, SECOND_MS } from '../../domain/time.ts';
import { type LastUse, overLimit } from '../../identity/index.ts';
import type { Stoppable } from '../changes.ts';
import type { Connection } from './connection.ts';

/** What {@link SessionLimitWatch} needs. */
export interface SessionLimitOptions {
  readonly connection: Pick<Connection, 'limits' | 'endSessions' | 'onDidChange' | 'onDidChangeAccounts'>;
  /** Shared by all who share the session: who works in one window is not idle in another. */
  readonly lastUse: LastUse;
  /** True while the person does something in this window. */
  readonly isActive: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Does something later; `setTimeout` in the editor. */
  readonly later: (work: () => void, delayMs: number) => Stoppable;
}

const LOOK_EVERY_MS = 30 * SECOND_MS;

/**
 * Ends sessions that have reached the company's limits. What counts is that a person does something in the editor:
 * refreshes, views that keep themselves up to date and kernels that draw tokens are no use of a session.
 */
export class SessionLimitWatch implements Stoppable {
  readonly #options: SessionLimitOptions;
  readonly #watches: readonly Stoppable[];
  #timer: Stoppable | undefined;

  constructor(options: SessionLimitOptions) {
    this.#options = options;
    const look = (): void => this.#look();
    this.#watches = [options.connection.onDidChange(look), options.connection.onDidChangeAccounts(look)];
    this.#plan();
  }

  /** The person does something. What was over before is over: who comes back late does not make it good. */
  acted(): void {
    this.#endWhatIsOver();
    this.#remember();
  }

  dispose(): void {
    for (const watch of this.#watches) watch.dispose();
    this.#timer?.dispose();
  }

  #plan(): void {
    this.#timer?.dispose();
    this.#timer = this.#options.later(() => {
      this.#look();
      this.#plan();
    }, LOOK_EVERY_MS);
  }

  #look(): void {
    if (this.#options.isActive()) this.acted();
    else this.#endWhatIsOver();
  }

  #endWhatIsOver(): void {
    const { connection, clock, lastUse, logger } = this.#options;
    const { limits } = connection;
    if (limits === undefined) return;
    const nowMs = clock.nowMs();
    // Nobody has been seen yet: the time runs from now.
    if (lastUse.read() === undefined) this.#remember();
    const usedAtMs = lastUse.read() ?? nowMs;
    connection
      .endSessions(({ beganAtMs }) => overLimit(limits, { beganAtMs, usedAtMs }, nowMs))
      .catch((error: unknown) => {
        logger.warn('A session over the limit could not be deleted', { error: String(error) });
      });
  }

  #remember(): void {
    const { clock, lastUse } = this.#options;
    const nowMs = clock.nowMs();
    // Each time is written for all windows, so not each second; the least limit is many minutes.
    if (Math.abs(nowMs - (lastUse.read() ?? 0)) >= LOOK_EVERY_MS) lastUse.write(nowMs);
  }
}
