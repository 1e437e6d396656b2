import { CancelledError } from '../domain/errors.ts';

/**
 * Stops waiting for `work` when `signal` fires. The work itself goes on to its end: a refresh that has begun must be
 * stored, whoever stopped waiting for it.
 *
 * @throws {CancelledError} when `signal` fired.
 */
export async function cancellable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = (): void => {
    reject(new CancelledError());
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', cancel);
    // Whoever stopped waiting does not want to hear how the work ended.
    work.catch(() => undefined);
  }
}
