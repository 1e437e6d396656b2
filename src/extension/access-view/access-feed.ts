import type { Logger } from '../../domain/logger.ts';
import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS } from '../../domain/time.ts';
import type { ControlPlaneClient } from '../../protocol/client.ts';
import type { EventsClient } from '../../protocol/event-stream.ts';
import { Changes, type Stoppable } from '../changes.ts';
import {
  type AccessData,
  approves,
  isMoving,
  isOpenRequest,
  loadAccess,
  type Notice,
  noticesBetween,
} from './access-data.ts';
import { EventFollower } from './event-follower.ts';

/** What is known of the person's access. */
export type AccessState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** `stale` holds why the data could not be read again. */
  | { readonly kind: 'known'; readonly data: AccessData; readonly stale: unknown };

/** What {@link AccessFeed} needs. */
export interface AccessFeedOptions {
  readonly client: ControlPlaneClient;
  /** Where there is none, or its stream breaks, events are asked for. */
  readonly events?: EventsClient | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Does something later; `setTimeout` in the editor. */
  readonly later: (work: () => void, delayMs: number) => Stoppable;
  /** True while a person could see a change. */
  readonly isWatched: () => boolean;
}

/** How often events are asked for where they cannot be followed: while something moves, while somebody looks. */
const MOVING_MS = 2 * SECOND_MS;
const WATCHED_MS = 5 * SECOND_MS;
const TROUBLED_MS = 15 * SECOND_MS;

/** While nobody looks, for as long as a grant lives: the status bar tells of it, and warnings of its end. */
const UNSEEN_MS = MINUTE_MS;

/**
 * Keeps {@link AccessData} current: follows events, and reads again when there are some. It does so only while somebody
 * looks, something moves, a grant lives or others may wait for the person's word. Where events cannot be followed they
 * are asked for: while somebody looks, and otherwise only for what is told without the side bar.
 */
export class AccessFeed implements Stoppable {
  readonly #options: AccessFeedOptions;
  readonly #changes = new Changes<AccessState>();
  readonly #notices = new Changes<Notice>();
  readonly #stopped = new AbortController();
  #state: AccessState = { kind: 'unknown' };
  #cursor: string | undefined;
  #timer: Stoppable | undefined;
  #loading: Promise<void> | undefined;
  /** What begins when {@link #loading} has ended. */
  #next: Promise<void> | undefined;
  #polling = false;
  #askedAtMs: EpochMs = 0;
  readonly #follower: EventFollower | undefined;

  constructor(options: AccessFeedOptions) {
    this.#options = options;
    const { events } = options;
    this.#follower =
      events &&
      new EventFollower({
        ...options,
        events,
        onEvent: (cursor) => {
          this.#cursor = cursor;
          void this.reload();
        },
        onOver: (isBroken) => {
          // What cannot be followed may be away: whoever looks is told.
          if (isBroken && options.isWatched()) void this.#poll();
          else this.#plan();
        },
      });
  }

  get state(): AccessState {
    return this.#state;
  }

  readonly onDidChange = this.#changes.on;
  readonly onNotice = this.#notices.on;

  /** The data, where there are some. */
  get data(): AccessData | undefined {
    return this.#state.kind === 'known' ? this.#state.data : undefined;
  }

  /**
   * Reads everything, from now on: a reading that runs may have seen the world of before, so that another one follows
   * it, for all who asked meanwhile. Never throws: what went wrong is in the state.
   */
  async reload(): Promise<void> {
    if (this.#loading === undefined) {
      this.#loading = this.#load().finally(() => {
        this.#loading = undefined;
        this.#plan();
      });
      await this.#loading;
      return;
    }
    this.#next ??= this.#loading.then(() => {
      this.#next = undefined;
      return this.reload();
    });
    await this.#next;
  }

  /** Somebody began or ceased to look. Who begins is shown what happened meanwhile. */
  attentionChanged(): void {
    const { clock, isWatched } = this.#options;
    const isAskedFor = this.#follower?.isFollowing !== true && this.#follower?.mayFollow !== true;
    const isOld = isAskedFor && clock.nowMs() - this.#askedAtMs >= WATCHED_MS;
    if (isWatched() && this.#state.kind !== 'unknown' && (isOld || this.#isStale)) void this.#poll();
    else this.#plan();
  }

  dispose(): void {
    this.#stopped.abort();
    this.#follower?.dispose();
    this.#timer?.dispose();
    this.#changes.dispose();
    this.#notices.dispose();
  }

  async #load(): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const { client, clock, logger } = this.#options;
    this.#askedAtMs = clock.nowMs();
    try {
      // The cursor first, so that nothing falls between it and the lists.
      this.#cursor ??= (await client.call('listEvents', { signal: this.#stopped.signal })).nextCursor;
      const data = await loadAccess(client, this.#stopped.signal);
      const before = this.data;
      this.#become({ kind: 'known', data, stale: undefined });
      for (const notice of noticesBetween(before, data)) this.#notices.fire(notice);
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      logger.warn('The access could not be read', { error: String(error) });
      this.#become(
        this.#state.kind === 'known'
          ? { kind: 'known', data: this.#state.data, stale: error }
          : { kind: 'failed', error },
      );
    }
  }

  #become(state: AccessState): void {
    if (this.#stopped.signal.aborted) return;
    this.#state = state;
    this.#changes.fire(state);
  }

  #plan(): void {
    this.#timer?.dispose();
    this.#timer = undefined;
    if (this.#stopped.signal.aborted || this.#polling || this.#loading !== undefined) return;
    const isWatched = this.#options.isWatched();
    const follower = this.#matters ? this.#follower : undefined;
    // Who looks at what is not up to date wants to know when it is: a stream says nothing while nothing happens.
    if (follower === undefined || (isWatched && this.#isStale)) this.#follower?.dispose();
    else if (this.#cursor !== undefined && follower.mayFollow) follower.follow(this.#cursor);
    if (this.#follower?.isFollowing === true) return;
    const askMs = this.#delayMs();
    const followMs = isWatched ? undefined : follower?.restMs;
    if (askMs !== undefined && askMs <= (followMs ?? Infinity)) {
      this.#timer = this.#options.later(() => void this.#poll(), askMs);
    } else if (followMs !== undefined) {
      this.#timer = this.#options.later(() => this.#plan(), Math.max(followMs, SECOND_MS));
    }
  }

  async #poll(): Promise<void> {
    if (this.#polling || this.#stopped.signal.aborted) return;
    this.#polling = true;
    this.#askedAtMs = this.#options.clock.nowMs();
    try {
      const query = this.#cursor === undefined ? {} : { after: this.#cursor };
      const { items, nextCursor } = await this.#options.client.call('listEvents', {
        query,
        signal: this.#stopped.signal,
      });
      this.#cursor = nextCursor;
      if (items.length > 0 || this.#isStale) await this.reload();
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#options.logger.debug('Events could not be read', { error: String(error) });
      if (this.#state.kind === 'known' && this.#state.stale === undefined) {
        this.#become({ kind: 'known', data: this.#state.data, stale: error });
      }
    } finally {
      this.#polling = false;
      this.#plan();
    }
  }

  get #isStale(): boolean {
    return this.#state.kind !== 'known' || this.#state.stale !== undefined;
  }

  /** True where a change would be noticed: by who looks, in the status bar, or by a notification. */
  get #matters(): boolean {
    const { data } = this;
    if (data === undefined) return false;
    return (
      this.#options.isWatched() ||
      data.grants.length > 0 ||
      data.requests.some(isOpenRequest) ||
      approves(data)
    );
  }

  /** When to ask again where nothing can be followed, in milliseconds; undefined where nobody would notice. */
  #delayMs(): number | undefined {
    const { clock, isWatched } = this.#options;
    const watched = isWatched();
    if (this.#state.kind === 'unknown') return undefined;
    if (this.#state.kind === 'failed') return watched ? TROUBLED_MS : undefined;
    const { data, stale } = this.#state;
    const unseen = data.grants.length > 0 ? UNSEEN_MS : undefined;
    if (stale !== undefined) return watched ? TROUBLED_MS : unseen;
    // What is stuck moves for hours: whoever does not look need not hear of it at once.
    if (data.grants.some((grant) => isMoving(grant) && (watched || grant.state !== 'revoke_stuck'))) {
      return MOVING_MS;
    }
    const usual = watched ? WATCHED_MS : unseen;
    const nowMs: EpochMs = clock.nowMs();
    const untilNextEnd = data.grants
      .flatMap(({ endsAt }) => (endsAt === null ? [] : [Date.parse(endsAt) - nowMs + SECOND_MS]))
      .filter((ms) => ms > 0);
    // The end of a window is not waited past.
    return usual === undefined ? undefined : Math.max(SECOND_MS, Math.min(usual, ...untilNextEnd));
  }
}
