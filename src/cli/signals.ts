/** The signals by which somebody asks a program to stop. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** One of {@link STOP_SIGNALS}. */
export type StopSignal = (typeof STOP_SIGNALS)[number];

const NUMBERS: Readonly<Record<StopSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** The exit code by which shells tell that a signal ended a program. */
export function exitCodeOf(signal: StopSignal): number {
  return 128 + NUMBERS[signal];
}

/** Where signals arrive. Unless somebody takes them, the first one calls off what is going on. */
export interface SignalDesk {
  /** Fires with the first signal that nobody took. */
  readonly stop: AbortSignal;
  /** The first signal that nobody took. */
  readonly received: StopSignal | undefined;
  /** Takes signals, before whoever took them earlier, until disposed. */
  take(listener: (signal: StopSignal) => void): Disposable;
}

/**
 * A desk, and the slot through which signals come in.
 *
 * @param outlivesTerminal whether a terminal that goes away is no reason to stop: whoever takes signals hears of it all the same.
 */
export function createSignalDesk({ outlivesTerminal = false } = {}): SignalDesk & {
  deliver(signal: StopSignal): void;
} {
  const stop = new AbortController();
  const takers: ((signal: StopSignal) => void)[] = [];
  let received: StopSignal | undefined;
  return {
    stop: stop.signal,
    get received() {
      return received;
    },
    take(listener) {
      takers.push(listener);
      return {
        [Symbol.dispose]() {
          const place = takers.lastIndexOf(listener);
          if (place >= 0) takers.splice(place, 1);
        },
      };
    },
    deliver(signal) {
      const taker = takers.at(-1);
      if (taker !== undefined) {
        taker(signal);
        return;
      }
      if (signal === 'SIGHUP' && outlivesTerminal) return;
      received ??= signal;
      stop.abort();
    },
  };
}
