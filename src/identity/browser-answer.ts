import { CancelledError } from '../domain/errors.ts';
import { MINUTE_MS } from '../domain/time.ts';
import { cancellable } from './cancellation.ts';
import { signInTimedOut } from './failures.ts';

/** Takes one answer of the browser. */
export interface Callback {
  /** Where the browser is sent back to. */
  readonly redirectUri: string;
  /**
   * The address that the browser came back with. Rejects with `state_mismatch` where its state is not the expected one.
   */
  readonly answer: Promise<URL>;
  /** Sends the browser on to another page, instead of telling how it ended. Absent where there is no page. */
  readonly goOn?: (url: string) => void;
  /** Tells the person, where it can, how it ended, and takes no answer any more. */
  close(outcome: 'signed-in' | 'failed'): Promise<void>;
}

/** How the browser is sent somewhere, and comes back. */
export interface BrowserOptions {
  /** Begins to wait for the answer that carries this state. */
  listen(expectedState: string): Promise<Callback>;
  /** Opens a page for the person. */
  openBrowser(url: string): Promise<void> | void;
  readonly signal?: AbortSignal | undefined;
  /** How long the person has, in milliseconds; five minutes unless told. */
  readonly timeoutMs?: number;
}

/** What is done with the browser and its answer. */
export interface BrowserVisit<T> {
  /** Unguessable: an answer without it is none. */
  readonly state: string;
  /** The page's address. */
  page(redirectUri: string): Promise<string>;
  /** What becomes of the answer; the browser's page says whether it worked. */
  take(answer: URL, stop: AbortSignal, callback: Callback): Promise<T>;
}

const DEFAULT_TIMEOUT_MS = 5 * MINUTE_MS;

/**
 * Sends the browser to a page and takes its answer.
 *
 * @throws {OamError} `sign_in_timed_out`, `state_mismatch`, and what `listen`, `page` and `take` throw.
 * @throws {CancelledError} when `signal` fired.
 */
export async function visitInBrowser<T>(options: BrowserOptions, visit: BrowserVisit<T>): Promise<T> {
  if (options.signal?.aborted) throw new CancelledError();
  const deadline = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const stop = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  const callback = await options.listen(visit.state);
  let outcome: 'signed-in' | 'failed' = 'failed';
  try {
    const page = await cancellable(visit.page(callback.redirectUri), stop);
    // Opening may last as long as the page is open: what ends the wait is the answer, or an opening that fails.
    const opened = Promise.resolve().then(() => options.openBrowser(page));
    const answer = await cancellable(
      Promise.race([callback.answer, opened.then(() => callback.answer)]),
      stop,
    );
    const result = await visit.take(answer, stop, callback);
    outcome = 'signed-in';
    return result;
  } catch (error) {
    if (error instanceof CancelledError && !options.signal?.aborted && deadline.aborted) {
      throw signInTimedOut();
    }
    throw error;
  } finally {
    await callback.close(outcome);
  }
}
