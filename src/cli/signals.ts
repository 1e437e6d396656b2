/** The signals by which somebody asks a program to stop. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** One of {@link STOP_SIGNALS}. */
export type StopSignal = (typeof STOP_SIGNALS)[number];

/**
 * Signals that mean something to the program that is run, as "save your work" does to many, and nothing to us: schedulers send them
 * ahead of an end, the third where time on the processor runs out, and `timeout` by the fourth. They are heard here all the same:
 * the first would open Node's debugger, where every user of the machine could read what we hold, and the others would end
 * us, while the program goes on without anybody who feeds it and gives its access back.
 */
export const PROGRAM_SIGNALS = ['SIGUSR1', 'SIGUSR2', 'SIGXCPU', 'SIGALRM'] as const;

/** One of {@link PROGRAM_SIGNALS}. */
export type ProgramSignal = (typeof PROGRAM_SIGNALS)[number];

const NUMBERS: Readonly<Record<StopSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 };

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
  /** Hears the signals that are a program's, until disposed. */
  pass(listener: (signal: ProgramSignal) => void): Disposable;
}

/**
 * A desk, and the slot through which signals come in.
 *
 * @param outlivesTerminal whether a terminal that goes away is no reason to stop: whoever takes signals hears of it all the same.
 */
export function createSignalDesk({ outlivesTerminal = false } = {}): SignalDesk & {
  deliver(signal: StopSignal | ProgramSignal): void;
} {
  const stop = new AbortController();
  const takers: ((signal: StopSignal) => void)[] = [];
  const programs: ((signal: ProgramSignal) => void)[] = [];
  let received: StopSignal | undefined;
  return {
    stop: stop.signal,
    get received() {
      return received;
    },
    take: (listener) => listed(takers, listener),
    pass: (listener) => listed(programs, listener),
    deliver(signal) {
      if (isProgramSignal(signal)) {
        programs.at(-1)?.(signal);
        return;
      }
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

function isProgramSignal(signal: StopSignal | ProgramSignal): signal is ProgramSignal {
  return PROGRAM_SIGNALS.some((one) => one === signal);
}

function listed<T>(list: T[], one: T): Disposable {
  list.push(one);
  return {
    [Symbol.dispose]() {
      const place = list.lastIndexOf(one);
      if (place >= 0) list.splice(place, 1);
    },
  };
}
