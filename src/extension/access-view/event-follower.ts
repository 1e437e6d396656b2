import type { Logger } from '../../domain/logger.ts';
import { type Clock, type EpochMs, MINUTE_MS } from '../../domain/time.ts';
import type { EventsClient } from '../../protocol/event-stream.ts';
import type { Stoppable } from '../changes.ts';

/** Where a stream breaks it is tried again after this time, and after twice as long each time that it broke soon. */
const REST_MS = MINUTE_MS;
const LONGEST_REST_MS = 16 * MINUTE_MS;

/** What {@link EventFollower} needs. */
export interface EventFollowerOptions {
  readonly events: EventsClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something happened; `cursor` is where it stands. */
  readonly onEvent: (cursor: string) => void;
  /** The stream is over: by itself, or because it broke. */
  readonly onOver: (isBroken: boolean) => void;
}

/** Keeps one stream of events open for as long as somebody wants it. */
export class EventFollower implements Stoppable {
  readonly #options: EventFollowerOptions;
  #open: AbortController | undefined;
  #restsUntilMs: EpochMs = 0;
  #nextRestMs = REST_MS;

  constructor(options: EventFollowerOptions) {
    this.#options = options;
  }

  /** True while a stream is open or being opened: nothing needs to be asked for. */
  get isFollowing(): boolean {
    return this.#open !== undefined;
  }

  /** True where a stream may be opened now. */
  get mayFollow(): boolean {
    return this.restMs <= 0;
  }

  /** How long no stream is to be opened, because the last one broke. */
  get restMs(): number {
    return this.#restsUntilMs - this.#options.clock.nowMs();
  }

  /** Opens the stream behind a cursor, unless it is open. */
  follow(after: string): void {
    if (this.#open !== undefined) return;
    const opened = new AbortController();
    this.#open = opened;
    void this.#read(after, opened);
  }

  /** Closes it. */
  dispose(): void {
    this.#open?.abort();
    this.#open = undefined;
  }

  async #read(after: string, opened: AbortController): Promise<void> {
    const { events, clock, logger, onEvent, onOver } = this.#options;
    const openedAtMs = clock.nowMs();
    let isBroken = false;
    try {
      for await (const { cursor } of await events.follow(after, opened.signal)) {
        if (opened.signal.aborted) return;
        onEvent(cursor);
      }
    } catch (error) {
      if (opened.signal.aborted) return;
      isBroken = true;
      if (clock.nowMs() - openedAtMs >= REST_MS) this.#nextRestMs = REST_MS;
      this.#restsUntilMs = clock.nowMs() + this.#nextRestMs;
      this.#nextRestMs = Math.min(2 * this.#nextRestMs, LONGEST_REST_MS);
      logger.debug('The stream of events broke', { error: String(error) });
    }
    if (this.#open !== opened) return;
    this.#open = undefined;
    onOver(isBroken);
  }
}
