import { setTimeout as pause } from 'node:timers/promises';

import type { BearerToken } from '../databricks/index.ts';
import { CancelledError, hasCode, OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import { type Clock, type EpochMs, MINUTE_MS, SECOND_MS } from '../domain/time.ts';
import { isPassing } from './refusal.ts';
import type { TokenSource } from './token-source.ts';

/** A token with less life than this is not handed out: Azure refuses those that are about to expire. */
export const LEAST_LIFE_MS = 10 * SECOND_MS;

/**
 * From this long before its end a token is replaced in the background, or from half its life if that is less: whoever
 * makes tokens may be away for so long, and no program notices.
 */
const REFRESH_AHEAD_MS = 10 * MINUTE_MS;

/** After a failed fetch the next one waits for so long, and twice as long after each further one. */
const FIRST_PAUSE_MS = SECOND_MS;

/** The longest pause while there is a token in hand. */
const LONGEST_PAUSE_MS = 30 * SECOND_MS;

/** No pause takes more than this share of what is left of the token in hand: there are tries left when time runs out. */
const LONGEST_PAUSE_SHARE = 1 / 4;

/** The longest pause while somebody is refused for want of a token. */
const LONGEST_REFUSAL_MS = 2 * SECOND_MS;

/** So much of a pause is left to chance, so that many programs do not come back at the same moment. */
const JITTER = 0.2;

/** What the person mends and no network is asked for: the next try is free, and may be the one that succeeds. */
const FREE_OF_PAUSE: readonly string[] = ['not_signed_in', 'session_expired', 'cancelled'];

/**
 * Nobody waits longer than this for the moment at which a token is due: a machine that slept wakes up to a timer that did not
 * run meanwhile, and a token of a month lives longer than a timer can.
 */
const LONGEST_LOOK_MS = MINUTE_MS;

/** A source that has not answered by then is given up. */
const SOURCE_TIMEOUT_MS = 60 * SECOND_MS;

/** One path's token: fetched when first needed, replaced ahead of its end, by one fetch at a time. */
export interface HeldToken {
  /**
   * A token with at least {@link LEAST_LIFE_MS} left.
   *
   * @throws {OamError} whatever the source throws, and the same again during the pause after it; `token_too_short` when the source has nothing better than a token
   * about to expire; `token_timed_out`; `cancelled` after {@link HeldToken.drop}.
   */
  get(): Promise<BearerToken>;
  /**
   * As {@link HeldToken.get}, but waits where that takes a moment: through a slow fetch, and through trouble that
   * passes by itself.
   *
   * @param withinMs how long at most, in milliseconds of real time.
   * @throws {OamError} as {@link HeldToken.get}; `token_slow` when a fetch is still under way by then.
   */
  getWithin(withinMs: number): Promise<BearerToken>;
  /**
   * The same token where it is in hand, without waiting; undefined where {@link HeldToken.get} has to be asked. A
   * replacement that is due is begun by either.
   */
  inHand(): BearerToken | undefined;
  /** Forgets the token and calls a running fetch off. */
  drop(): void;
}

/** What {@link holdToken} needs. */
export interface HeldTokenOptions {
  readonly source: TokenSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Waits so many of the clock's milliseconds, less when the signal fires; the machine's unless given. */
  readonly wait?: Wait;
  /** Told of each failed fetch, in the background too. */
  readonly onFailure: (error: OamError) => void;
  /**
   * Whether a token is kept in hand though nobody asks for hours. Unless it is, what nobody uses expires, and whoever
   * asks next waits for another.
   */
  readonly keepsFed?: boolean;
}

/** Waits for a time in milliseconds, or until the signal fires, and then is done; never throws. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

const realWait: Wait = async (ms, signal) => {
  await pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
};

interface Held {
  readonly token: BearerToken;
  readonly replaceFromMs: number;
}

/** Holds the token of one source. */
export function holdToken(options: HeldTokenOptions): HeldToken {
  const { source, clock, logger, wait = realWait, keepsFed = false } = options;
  const dropped = new AbortController();
  let held: Held | undefined;
  let flight: Promise<BearerToken> | undefined;
  let trouble: Trouble | undefined;
  /** Whether anybody has asked since the token in hand came. */
  let isAskedFor = false;

  const usable = (now: number): BearerToken | undefined =>
    held !== undefined && held.token.expiresAtMs - now >= LEAST_LIFE_MS ? held.token : undefined;

  const fetch = async (): Promise<BearerToken> => {
    const token = await mint(source, dropped.signal);
    const now = clock.nowMs();
    const lifeMs = token.expiresAtMs - now;
    if (lifeMs < LEAST_LIFE_MS) {
      throw new OamError(
        'token_too_short',
        'The token that was to be had is about to expire. Sign in again, or ask for the access anew if it has ended.',
      );
    }
    trouble = undefined;
    const fresh = { token, replaceFromMs: token.expiresAtMs - Math.min(REFRESH_AHEAD_MS, lifeMs / 2) };
    held = fresh;
    isAskedFor = false;
    void replaceWhenDue(fresh);
    return token;
  };

  /**
   * Replaces a token that is in use, whether anybody asks in that moment or not. What nobody uses is left to expire, unless
   * a token is to be in hand always.
   */
  const replaceWhenDue = async (mine: Held): Promise<void> => {
    while (held === mine && clock.nowMs() < mine.replaceFromMs) {
      await wait(Math.min(mine.replaceFromMs - clock.nowMs(), LONGEST_LOOK_MS), dropped.signal);
    }
    if (held === mine && (isAskedFor || keepsFed)) await replace();
  };

  const refresh = (): Promise<BearerToken> => {
    flight ??= fetch()
      .catch((error: unknown) => {
        const failure = asOamError(error);
        const times = FREE_OF_PAUSE.includes(failure.code) ? 0 : (trouble?.times ?? 0) + 1;
        trouble = { failure, times, sinceMs: clock.nowMs(), luck: 1 - JITTER * Math.random() };
        if (!(failure instanceof CancelledError)) options.onFailure(failure);
        throw failure;
      })
      .finally(() => {
        flight = undefined;
      });
    return flight;
  };

  let replacing = false;

  /** Whether a token is fetched also when there is none left in hand and nobody asks. */
  const goesOnWithout = (): boolean => keepsFed && trouble !== undefined && isPassing(trouble.failure.code);

  /** Replaces the token in hand, once or as often as it takes while it lives; whether anybody asks meanwhile or not. */
  const replace = async (): Promise<void> => {
    if (replacing) return;
    replacing = true;
    try {
      for (;;) {
        const now = clock.nowMs();
        if (dropped.signal.aborted || held === undefined || now < held.replaceFromMs) return;
        const leftMs = pauseLeftMs(trouble, now, longestPauseMs(held.token.expiresAtMs - now));
        if (leftMs > 0) {
          await wait(leftMs, dropped.signal);
          if (usable(clock.nowMs()) === undefined && !goesOnWithout()) return;
          continue;
        }
        await refresh().catch((error: unknown) => {
          if (hasCode(error, 'cancelled')) return;
          logger.warn('A token could not be replaced ahead of its end', { code: asOamError(error).code });
        });
        if (trouble?.times === 0) return;
      }
    } finally {
      replacing = false;
    }
  };

  const inHand = (): BearerToken | undefined => {
    if (dropped.signal.aborted) return undefined;
    const now = clock.nowMs();
    const token = usable(now);
    isAskedFor = true;
    if (token !== undefined && held !== undefined && now >= held.replaceFromMs) void replace();
    return token;
  };

  /** For how long the source is left in peace while somebody is refused, in milliseconds. */
  const pauseMs = (): number => pauseLeftMs(trouble, clock.nowMs(), LONGEST_REFUSAL_MS);

  const get = async (): Promise<BearerToken> => {
    if (dropped.signal.aborted) throw new CancelledError();
    const token = inHand();
    if (token !== undefined) return token;
    if (flight === undefined && trouble !== undefined && pauseMs() > 0) throw trouble.failure;
    return refresh();
  };

  const getThrough = async (untilMs: number): Promise<BearerToken> => {
    for (;;) {
      try {
        return await get();
      } catch (error) {
        const leftMs = pauseMs();
        if (!isPassing(asOamError(error).code) || performance.now() + leftMs >= untilMs) throw error;
        await wait(leftMs, dropped.signal);
      }
    }
  };

  return {
    get,
    async getWithin(withinMs) {
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        late.reject(
          trouble?.failure ??
            new OamError(
              'token_slow',
              'The token is taking too long. Try again in a moment; it may be there by then.',
            ),
        );
      }, withinMs);
      try {
        return await Promise.race([getThrough(performance.now() + withinMs), late.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
    inHand,
    drop() {
      held = undefined;
      dropped.abort();
    },
  };
}

/** What went wrong since the last token came. */
interface Trouble {
  readonly failure: OamError;
  /** How often in a row. */
  readonly times: number;
  readonly sinceMs: EpochMs;
  /** The share of a pause that is kept. */
  readonly luck: number;
}

/** The longest pause beside a token that has so many milliseconds left; without one it is tried as rarely as may be. */
function longestPauseMs(lifeLeftMs: number): number {
  if (lifeLeftMs <= 0) return LONGEST_PAUSE_MS;
  return Math.min(LONGEST_PAUSE_MS, Math.max(LONGEST_REFUSAL_MS, lifeLeftMs * LONGEST_PAUSE_SHARE));
}

/** What is left of a pause, in milliseconds; zero without one. A clock that was put back does not prolong it. */
function pauseLeftMs(trouble: Trouble | undefined, now: EpochMs, longestMs: number): number {
  if (trouble === undefined || trouble.times === 0 || now < trouble.sinceMs) return 0;
  const wholeMs = Math.min(FIRST_PAUSE_MS * 2 ** (trouble.times - 1), longestMs) * trouble.luck;
  return Math.max(0, trouble.sinceMs + wholeMs - now);
}

/** Asks a source, and stops waiting for it when it is too slow or no longer wanted, even if it does not listen. */
async function mint(source: TokenSource, dropped: AbortSignal): Promise<BearerToken> {
  const timeout = AbortSignal.timeout(SOURCE_TIMEOUT_MS);
  const signal = AbortSignal.any([dropped, timeout]);
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => {
    stopped.reject(
      dropped.aborted
        ? new CancelledError()
        : new OamError('token_timed_out', 'No token came in time. Check your network and try again.'),
    );
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([source.token(signal), stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function asOamError(error: unknown): OamError {
  if (error instanceof OamError) return error;
  return new OamError('token_failed', 'No token could be had. Try again; if it stays, read the log.', {
    detail: error instanceof Error ? error.name : typeof error,
    cause: error,
  });
}
