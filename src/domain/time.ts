/** A point in time: milliseconds since 1970-01-01T00:00:00Z. Fields that hold one end in `AtMs`. */
export type EpochMs = number;

/**
 * Where the time comes from. The control plane's clock is its database; elsewhere it is the machine's, and in
 * tests a fake one.
 */
export interface Clock {
  /** The present moment, in milliseconds since the epoch. */
  nowMs(): EpochMs;
}

/** Milliseconds in one second. */
export const SECOND_MS = 1_000;

/** Milliseconds in one minute. */
export const MINUTE_MS = 60_000;

/** Milliseconds in one hour. */
export const HOUR_MS = 3_600_000;

/** Milliseconds in one day. */
export const DAY_MS = 86_400_000;

/** Converts whole or fractional minutes to milliseconds. */
export function minutesToMs(minutes: number): number {
  return minutes * MINUTE_MS;
}

/** Converts a point in time to whole Unix seconds, rounded down so that nothing looks longer-lived than it is. */
export function toUnixSeconds(at: EpochMs): number {
  return Math.floor(at / SECOND_MS);
}

/** Converts Unix seconds to a point in time. */
export function fromUnixSeconds(unixSeconds: number): EpochMs {
  return unixSeconds * SECOND_MS;
}
