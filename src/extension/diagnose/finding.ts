/** How a check came out. */
export type Outcome = 'ok' | 'warning' | 'failed' | 'skipped';

/** What one check found. */
export interface Finding {
  /** What was looked at. */
  readonly what: string;
  readonly outcome: Outcome;
  /** What it means, and what to do where something is wrong. */
  readonly words: string;
  /** What a technician wants to know: addresses, codes, times. */
  readonly facts: readonly string[];
}
