import { setTimeout as sleep } from 'node:timers/promises';

import { CancelledError, hasCode } from '../domain/errors.ts';
import { MINUTE_MS, SECOND_MS } from '../domain/time.ts';
import { DatabricksError } from './errors.ts';

/**
 * What happens after a call that may be repeated met a 429, a 5xx or no answer: `never` reports it at once (for
 * callers that keep their own schedule); otherwise it is repeated as Databricks asks (`Retry-After`), until the
 * waiting would exceed the given time.
 */
export type RetryPolicy = 'never' | BoundedRetry;

/** See {@link RetryPolicy}. */
export interface BoundedRetry {
  /** The most time spent waiting between attempts of one call, in milliseconds. */
  readonly giveUpAfterMs: number;
  /** Waits; replaced in tests. */
  readonly wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** Databricks' SDKs wait up to five minutes; a person in front of a tree does not. */
export const DEFAULT_RETRY: BoundedRetry = { giveUpAfterMs: MINUTE_MS };

/** The longest wait that we choose by ourselves; Databricks' `Retry-After` may ask for more. */
const LONGEST_BACKOFF_MS = 10 * SECOND_MS;

/**
 * Runs a call that may be repeated.
 *
 * @throws what the last attempt threw; {@link CancelledError} when `signal` fired while waiting.
 */
export async function withRetries<Answer>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  attempt: () => Promise<Answer>,
): Promise<Answer> {
  let waitedMs = 0;
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      if (policy === 'never' || !isTransient(error)) throw error;
      const waitMs = waitBefore(attempts + 1, error);
      if (waitedMs + waitMs > policy.giveUpAfterMs) throw error;
      waitedMs += waitMs;
      await (policy.wait ?? waitFor)(waitMs, signal);
    }
  }
}

function isTransient(error: unknown): boolean {
  return (
    hasCode(error, 'databricks_throttled') ||
    hasCode(error, 'databricks_unavailable') ||
    hasCode(error, 'unreachable') ||
    hasCode(error, 'timed_out')
  );
}

function waitBefore(attempt: number, error: unknown): number {
  if (error instanceof DatabricksError && error.retryAfterSeconds !== undefined) {
    return error.retryAfterSeconds * SECOND_MS;
  }
  return Math.min((attempt - 1) * SECOND_MS, LONGEST_BACKOFF_MS);
}

async function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    throw signal?.aborted ? new CancelledError() : error;
  }
}
