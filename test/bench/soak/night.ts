import type { Clock } from '../../../src/domain/time.ts';

/** A night that goes by faster than the machine's clock. All processes of a soak live in the same one. */
export interface Night {
  /** The machine's clock when it begins, in milliseconds since the epoch. */
  readonly beganAtMs: number;
  /** So many of its seconds go by in one of the machine's. */
  readonly speed: number;
}

/** The clock of a night. */
export function clockOf({ beganAtMs, speed }: Night): Clock {
  return { nowMs: () => beganAtMs + (Date.now() - beganAtMs) * speed };
}

/** Whoever makes tokens is away for `awayMs` in every `everyMs`, and besides fails so many of 100 calls. */
export const TROUBLE = {
  everyMs: 45_000,
  awayMs: 12_000,
  failed: 5,
  /** The answer is lost, or comes after `slowMs` of the machine's time. */
  lost: 3,
  slow: 5,
  slowMs: 400,
} as const;

/** What a process of brokers is told. */
export interface BrokersOrder {
  readonly night: Night;
  readonly host: string;
  /** What the person's session gives; good for the whole night. */
  readonly subjectToken: string;
  readonly principal: { readonly iss: string; readonly sub: string };
  /** For each broker, how many paths it opens. */
  readonly paths: readonly number[];
  /** Whether tokens are kept in hand though nobody asks: as `oam exec` does, and a window does not. */
  readonly keepsFed: boolean;
}

/** What a process of brokers says: first where its paths are, at the end what became of its fetches. */
export type BrokersWord =
  | { readonly kind: 'open'; readonly urls: readonly (readonly string[])[] }
  | {
      readonly kind: 'done';
      readonly fetched: number;
      readonly failed: number;
      /** How often each reason was given. */
      readonly refused: Readonly<Record<string, number>>;
    };
