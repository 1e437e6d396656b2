import { OamError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { type Clock, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import type { SessionLimits } from '../../protocol/schemas.ts';
import type { Stoppable } from '../changes.ts';
import type { Connection } from './connection.ts';
import type { PinMemento } from './pinned-trust.ts';

/** What {@link SessionLimitWatch} needs. */
export interface SessionLimitOptions {
  readonly connection: Pick<Connection, 'limits' | 'endSessions' | 'onDidChange' | 'onDidChangeAccounts'>;
  /** Shared by the windows of this machine: who works in one of them is not idle in another. */
  readonly memory: PinMemento;
  readonly machine: string;
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
    const { connection, clock, logger } = this.#options;
    const { limits } = connection;
    if (limits === undefined) return;
    const nowMs = clock.nowMs();
    // Nobody has been seen yet: the time runs from now.
    if (this.#usedAtMs === undefined) this.#remember();
    const usedAtMs = this.#usedAtMs ?? nowMs;
    connection
      .endSessions(({ beganAtMs }) => overLimit(limits, { beganAtMs, usedAtMs }, nowMs))
      .catch((error: unknown) => {
        logger.warn('A session over the limit could not be deleted', { error: String(error) });
      });
  }

  get #key(): string {
    return `used:${this.#options.machine}`;
  }

  get #usedAtMs(): EpochMs | undefined {
    const kept = this.#options.memory.get(this.#key);
    return typeof kept === 'number' && Number.isFinite(kept) ? kept : undefined;
  }

  #remember(): void {
    const { clock, logger, memory } = this.#options;
    const nowMs = clock.nowMs();
    // Each time is written for all windows, so not each second; the least limit is many minutes.
    if (Math.abs(nowMs - (this.#usedAtMs ?? 0)) < LOOK_EVERY_MS) return;
    Promise.resolve(memory.update(this.#key, nowMs)).catch((error: unknown) => {
      logger.warn('The last use of the session could not be kept', { error: String(error) });
    });
  }
}

/** Why a session is over, or nothing where it is not. */
export function overLimit(
  { absoluteHours, idleMinutes }: SessionLimits,
  session: { readonly beganAtMs: EpochMs | undefined; readonly usedAtMs: EpochMs },
  nowMs: EpochMs,
): OamError | undefined {
  const { beganAtMs, usedAtMs } = session;
  if (
    absoluteHours !== undefined &&
    beganAtMs !== undefined &&
    nowMs - beganAtMs >= absoluteHours * HOUR_MS
  ) {
    return new OamError('session_over_limit', 'Your company ends sessions after a while. Sign in again.', {
      detail: `${absoluteHours} h`,
    });
  }
  if (idleMinutes !== undefined && nowMs - usedAtMs >= idleMinutes * MINUTE_MS) {
    return new OamError(
      'session_over_limit',
      'Your company ends sessions that are not used for a while. Sign in again.',
      { detail: `${idleMinutes} min` },
    );
  }
  return undefined;
}
