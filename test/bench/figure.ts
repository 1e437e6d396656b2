import type { Cleanup } from '../../demo/stage/cleanup.ts';

/** One thing that is measured, beside what it is measured against. */
export interface Reading {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What `value` is held against, in the same unit, from the same run; null where only the bar counts. */
  readonly peer: { readonly what: string; readonly value: number } | null;
  /** What has to hold; null where a reading only tells how things are. */
  readonly bar: Bar | null;
  /** What a reader has to know, in a few words. */
  readonly note?: string;
}

/** The limit of a value, or of its ratio to the peer. */
export interface Bar {
  readonly of: 'value' | 'ratio';
  readonly is: 'at most' | 'at least';
  readonly limit: number;
}

/** Something that `npm run bench` measures. */
export interface Figure {
  /** What `--only` takes. */
  readonly name: string;
  readonly what: string;
  /** Whatever it starts is given to `cleanup`, which runs when it is done and when it is interrupted. */
  measure(cleanup: Cleanup): Promise<readonly Reading[]>;
}

/** Value by peer; null without one. */
export function ratioOf({ value, peer }: Reading): number | null {
  return peer === null || peer.value === 0 ? null : value / peer.value;
}

/** Whether a reading keeps within its bar. */
export function isOk(reading: Reading): boolean {
  const { bar } = reading;
  if (bar === null) return true;
  const held = bar.of === 'value' ? reading.value : ratioOf(reading);
  if (held === null || !Number.isFinite(held)) return false;
  return bar.is === 'at most' ? held <= bar.limit : held >= bar.limit;
}

/** The value that the given share of values does not exceed; `share` is between 0 and 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? NaN;
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
