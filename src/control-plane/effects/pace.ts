import { SECOND_MS } from '../../domain/time.ts';

/**
 * How fast Databricks lets us write, host by host. It publishes no limits that hold for every account, so what it lets
 * through is learned: after a 429 nothing goes out for as long as it asks, and from then on writes keep a distance that
 * grows with every refusal and shrinks with every success. Without refusals there is no distance at all.
 */
export interface Pace {
  /** Takes the right to one write, where there is one now. */
  take(host: string): boolean;
  /** A right that was taken and not used. */
  giveBack(host: string): void;
  /** Databricks took a write. */
  passed(host: string): void;
  /** Databricks asked to slow down, for so long where it said how long. */
  throttled(host: string, retryAfterSeconds: number | undefined): void;
  /** The hosts where writes keep a distance: there, the most urgent one has to be chosen each time. */
  slowHosts(): string[];
  /** Ends the waiting for hosts to open. */
  stop(): void;
}

/** The least distance between two writes once Databricks refused one, in milliseconds. */
const FIRST_DISTANCE_MS = 250;

/** The longest: the strictest limit that is known lets ten writes through in a minute. */
const LONGEST_DISTANCE_MS = 6_000;

const GROWTH = 1.3;

const SHRINKING = 0.99;

/** Below this a distance is none. */
const NEGLIGIBLE_MS = 50;

interface HostPace {
  distanceMs: number;
  opensAtMs: number;
  /** Until then refusals are answers to what was sent before the last one was known. */
  throttledUntilMs: number;
}

/**
 * Creates a pace that knows of no limits yet.
 *
 * @param onOpen called when a host that was closed opens.
 */
export function createPace(onOpen: () => void): Pace {
  const hosts = new Map<string, HostPace>();
  const openings = new Set<NodeJS.Timeout>();
  let stopped = false;

  const paceOf = (host: string): HostPace => {
    const known = hosts.get(host);
    if (known) return known;
    const pace = { distanceMs: 0, opensAtMs: 0, throttledUntilMs: 0 };
    hosts.set(host, pace);
    return pace;
  };

  const closeFor = (pace: HostPace, forMs: number): void => {
    const opensAtMs = performance.now() + forMs;
    if (stopped || forMs <= 0 || opensAtMs <= pace.opensAtMs) return;
    pace.opensAtMs = opensAtMs;
    const opening = setTimeout(() => {
      openings.delete(opening);
      onOpen();
    }, forMs + 1);
    openings.add(opening);
  };

  return {
    take(host) {
      const pace = paceOf(host);
      if (performance.now() < pace.opensAtMs) return false;
      closeFor(pace, pace.distanceMs);
      return true;
    },
    giveBack(host) {
      const pace = paceOf(host);
      pace.opensAtMs = pace.throttledUntilMs;
    },
    passed(host) {
      const pace = paceOf(host);
      pace.distanceMs = pace.distanceMs < NEGLIGIBLE_MS ? 0 : pace.distanceMs * SHRINKING;
    },
    throttled(host, retryAfterSeconds) {
      const pace = paceOf(host);
      const nowMs = performance.now();
      if (nowMs >= pace.throttledUntilMs) {
        const longer = Math.max(FIRST_DISTANCE_MS, pace.distanceMs * GROWTH);
        pace.distanceMs = Math.min(LONGEST_DISTANCE_MS, longer);
      }
      const forMs = Math.max(pace.distanceMs, (retryAfterSeconds ?? 1) * SECOND_MS);
      pace.throttledUntilMs = Math.max(pace.throttledUntilMs, nowMs + forMs);
      closeFor(pace, forMs);
    },
    slowHosts() {
      const nowMs = performance.now();
      return [...hosts].flatMap(([host, { distanceMs, opensAtMs }]) =>
        distanceMs > 0 || nowMs < opensAtMs ? [host] : [],
      );
    },
    stop() {
      stopped = true;
      for (const opening of openings) clearTimeout(opening);
    },
  };
}
