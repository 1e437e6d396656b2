import type { Kysely } from 'kysely';

import type { Logger } from '../../domain/logger.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import type { Database } from '../store/tables.ts';
import { newestEvent } from './feed.ts';

/** Tells streams that there is something new, whichever replica wrote it. One query for all of them. */
export interface EventWatch {
  /** Calls `onNews` whenever there may be news, until disposed. */
  subscribe(onNews: () => void): Disposable;
  /** Looks now. */
  wake(): void;
  stop(): Promise<void>;
}

/** Starts the watch. It asks nothing of the store while nobody listens. */
export function watchEvents(db: Kysely<Database>, pollMs: number, logger: Logger): EventWatch {
  const listeners = new Set<() => void>();
  let newest: string | undefined;
  const loop: Loop = startLoop({
    name: 'events',
    pollMs,
    logger,
    work: async () => {
      if (listeners.size === 0) return false;
      const now = await newestEvent(db);
      if (now !== newest) {
        newest = now;
        for (const listener of listeners) listener();
      }
      return false;
    },
  });
  return {
    subscribe(onNews) {
      listeners.add(onNews);
      return { [Symbol.dispose]: () => void listeners.delete(onNews) };
    },
    wake: () => loop.wake(),
    stop: () => loop.stop(),
  };
}
