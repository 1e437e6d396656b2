import { CancelledError } from '../../domain/errors.ts';

/** Does one piece of work for all who want the same at the same time. */
export type SharedWork<T> = (
  key: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

/**
 * Creates a place for shared work. Whoever goes away stops waiting; the work is called off when the last has gone.
 */
export function createSharedWork<T>(): SharedWork<T> {
  const underWay = new Map<string, { promise: Promise<T>; waiting: number; controller: AbortController }>();
  return async (key, signal, work) => {
    if (signal.aborted) throw new CancelledError();
    let shared = underWay.get(key);
    if (shared === undefined) {
      const controller = new AbortController();
      const begun = { promise: work(controller.signal), waiting: 0, controller };
      underWay.set(key, begun);
      const forget = (): void => {
        if (underWay.get(key) === begun) underWay.delete(key);
      };
      begun.promise.then(forget, forget);
      shared = begun;
    }
    const joined = shared;
    joined.waiting += 1;
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        joined.waiting -= 1;
        if (joined.waiting === 0) {
          // A newcomer must not join what is being called off.
          if (underWay.get(key) === joined) underWay.delete(key);
          joined.controller.abort();
        }
        reject(new CancelledError());
      };
      signal.addEventListener('abort', leave, { once: true });
      joined.promise.then(resolve, reject).finally(() => {
        signal.removeEventListener('abort', leave);
      });
    });
  };
}
