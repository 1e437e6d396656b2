import type { BearerToken } from '../databricks/index.ts';
import { CancelledError, hasCode, OamError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import { type Clock, SECOND_MS } from '../domain/time.ts';
import type { TokenSource } from './token-source.ts';

/** A token with less life than this is not handed out: Azure refuses those that are about to expire. */
export const LEAST_LIFE_MS = 10 * SECOND_MS;

/** From this long before its end a token is replaced in the background, or from half its life if that is less. */
const REFRESH_AHEAD_MS = 120 * SECOND_MS;

/** After a failed replacement the token in hand is used for so long before the next try. */
const RETRY_AFTER_MS = 5 * SECOND_MS;

/** A source that has not answered by then is given up. */
const SOURCE_TIMEOUT_MS = 60 * SECOND_MS;

/** One path's token: fetched when first needed, replaced ahead of its end, by one fetch at a time. */
export interface HeldToken {
  /**
   * A token with at least {@link LEAST_LIFE_MS} left.
   *
   * @throws {OamError} whatever the source throws; `token_too_short` when the source has nothing better than a token
   * about to expire; `token_timed_out`; `cancelled` after {@link HeldToken.drop}.
   */
  get(): Promise<BearerToken>;
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
  /** Told of each failed fetch, in the background too. */
  readonly onFailure: (error: OamError) => void;
}

interface Held {
  readonly token: BearerToken;
  readonly replaceFromMs: number;
}

/** Holds the token of one source. */
export function holdToken(options: HeldTokenOptions): HeldToken {
  const { source, clock, logger } = options;
  const dropped = new AbortController();
  let held: Held | undefined;
  let flight: Promise<BearerToken> | undefined;
  let retryFromMs = -Infinity;

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
    held = { token, replaceFromMs: token.expiresAtMs - Math.min(REFRESH_AHEAD_MS, lifeMs / 2) };
    return token;
  };

  const refresh = (): Promise<BearerToken> => {
    flight ??= fetch()
      .catch((error: unknown) => {
        retryFromMs = clock.nowMs() + RETRY_AFTER_MS;
        const failure = asOamError(error);
        if (!(failure instanceof CancelledError)) options.onFailure(failure);
        throw failure;
      })
      .finally(() => {
        flight = undefined;
      });
    return flight;
  };

  const inHand = (): BearerToken | undefined => {
    if (dropped.signal.aborted) return undefined;
    const now = clock.nowMs();
    const token = usable(now);
    if (token !== undefined && held !== undefined && now >= held.replaceFromMs && now >= retryFromMs) {
      refresh().catch((error: unknown) => {
        if (!hasCode(error, 'cancelled')) {
          logger.warn('A token could not be replaced ahead of its end', { code: asOamError(error).code });
        }
      });
    }
    return token;
  };

  return {
    async get() {
      if (dropped.signal.aborted) throw new CancelledError();
      return inHand() ?? refresh();
    },
    inHand,
    drop() {
      held = undefined;
      dropped.abort();
    },
  };
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
