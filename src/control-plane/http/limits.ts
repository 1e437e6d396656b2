import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

import { OamError } from '../../domain/errors.ts';
import type { PrincipalKey } from '../../domain/principal.ts';
import { SECOND_MS } from '../../domain/time.ts';
import type { ServerConfiguration } from '../configuration/configuration.ts';

/** The refusal of one call too many. */
export class TooManyRequests extends OamError {
  /** For `Retry-After`: at least 1. */
  readonly retryAfterSeconds: number;

  constructor(sentence: string, retryAfterSeconds: number) {
    super('too_many_requests', sentence, { detail: `in ${retryAfterSeconds} s` });
    this.name = 'TooManyRequests';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/**
 * What one caller may ask of this process. Each replica counts for itself: the limit is there to keep one caller from
 * crowding out the others, not to be exact. Callers are known by who they are: addresses are those of proxies.
 */
export interface CallerLimits {
  /**
   * Counts one call.
   *
   * @throws {TooManyRequests}
   */
  count(caller: PrincipalKey): Promise<void>;
  /**
   * Counts a call of somebody who cannot say who they are. Behind a proxy its address stands for all: that keeps a flood
   * from the store, and what everybody needs goes by other doors.
   *
   * @throws {TooManyRequests}
   */
  countAddress(address: string): Promise<void>;
  /**
   * Takes one of the caller's streams until it is disposed.
   *
   * @throws {TooManyRequests}
   */
  takeStream(caller: PrincipalKey): Disposable;
}

const WINDOW_SECONDS = 60;

const STREAM_RETRY_SECONDS = 30;

/** Limits that start with nobody having asked for anything. */
export function createCallerLimits(limits: ServerConfiguration['limits']): CallerLimits {
  const calls = new RateLimiterMemory({ points: limits.requestsPerMinute, duration: WINDOW_SECONDS });
  const streams = new Map<string, number>();
  const keyOf = ({ iss, sub }: PrincipalKey): string => JSON.stringify([iss, sub]);
  const consume = async (key: string): Promise<void> => {
    try {
      await calls.consume(key);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      throw new TooManyRequests(
        'You ask more often than this control plane answers one person. Wait, then try again.',
        Math.max(1, Math.ceil(error.msBeforeNext / SECOND_MS)),
      );
    }
  };
  return {
    count: (caller) => consume(keyOf(caller)),
    countAddress: (address) => consume(JSON.stringify([address])),
    takeStream(caller) {
      const key = keyOf(caller);
      const open = streams.get(key) ?? 0;
      if (open >= limits.streams) {
        throw new TooManyRequests(
          'You have as many streams of events open as one person can have. Close one, then try again.',
          STREAM_RETRY_SECONDS,
        );
      }
      streams.set(key, open + 1);
      return {
        [Symbol.dispose]: () => {
          const left = (streams.get(key) ?? 1) - 1;
          if (left === 0) streams.delete(key);
          else streams.set(key, left);
        },
      };
    },
  };
}
