import type { Logger } from '../../domain/logger.ts';

/** Work that is done again and again. */
export interface Loop {
  /** Does the work now rather than at the next beat. */
  wake(): void;
  /** Ends the loop after the work that is under way. */
  stop(): Promise<void>;
}

/** What {@link startLoop} needs. */
export interface LoopOptions {
  /** For the log. */
  readonly name: string;
  readonly pollMs: number;
  readonly logger: Logger;
  /** Returns true where there is more to do at once. */
  readonly work: () => Promise<boolean>;
}

/** Starts a loop. Nothing that its work throws ends it: a revoker that dies silently leaves access behind. */
export function startLoop({ name, pollMs, logger, work }: LoopOptions): Loop {
  let stopped = false;
  let awake = false;
  let interrupt: (() => void) | undefined;

  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        interrupt = undefined;
        resolve();
      };
      const timer = setTimeout(done, pollMs);
      interrupt = done;
    });

  const run = async (): Promise<void> => {
    while (!stopped) {
      awake = false;
      let more = false;
      try {
        more = await work();
      } catch (error) {
        logger.error('Background work failed and will be tried again.', {
          loop: name,
          reason: error instanceof Error ? error.message : 'unknown',
        });
      }
      // Both can have changed while the work ran.
      if (!more && !isSet(() => awake) && !isSet(() => stopped)) await pause();
    }
  };

  const running = run();
  return {
    wake() {
      awake = true;
      interrupt?.();
    },
    async stop() {
      stopped = true;
      interrupt?.();
      await running;
    },
  };
}

function isSet(flag: () => boolean): boolean {
  return flag();
}
