import type { EpochMs } from '../../domain/time.ts';

/** How long verifiers and proxies may keep the published keys by our word, in seconds. */
export const JWKS_MAX_AGE_SECONDS = 300;

/** The states of a signing key. A key that is not in the ring is not published. */
export const KEY_STATES = ['next', 'current', 'retired'] as const;

/** One of {@link KEY_STATES}. */
export type KeyState = (typeof KEY_STATES)[number];

/** A signing key as rotation sees it. Every key of the ring is published. */
export type RingKey = { readonly kid: string; readonly publishedAtMs: EpochMs } & (
  | { readonly state: 'next' }
  | { readonly state: 'current'; readonly activatedAtMs: EpochMs }
  | {
      readonly state: 'retired';
      readonly retiredAtMs: EpochMs;
      /** When the last token that it can have signed has expired. */
      readonly publishedUntilMs: EpochMs;
    }
);

/** When keys are to be changed. */
export interface RotationRules {
  /** The age at which a key that signs is replaced, in milliseconds. */
  readonly rotateAfterMs: number;
  /** How long a key is published before it signs: as long as verifiers may keep what they fetched. */
  readonly publishAheadMs: number;
  /** True where the verifiers hold copies of the keys, so that only a person knows when they have a new one. */
  readonly waitsForWord: boolean;
}

/** One change of the ring. */
export type RotationStep =
  | { readonly kind: 'make'; readonly state: 'current' | 'next' }
  | { readonly kind: 'activate'; readonly kid: string }
  | { readonly kind: 'remove'; readonly kid: string };

/** The next change that is due by the clock, if there is one. A key in state `next` says that a rotation is under way. */
export function dueStep(
  keys: readonly RingKey[],
  rules: RotationRules,
  nowMs: EpochMs,
): RotationStep | undefined {
  const current = keys.find((key) => key.state === 'current');
  const next = keys.find((key) => key.state === 'next');
  // Where nothing is published nobody keeps an old copy of it: there is nothing to wait for.
  if (current === undefined && next === undefined) return { kind: 'make', state: 'current' };
  if (next !== undefined && (current === undefined || isReady(next, rules, nowMs))) {
    return { kind: 'activate', kid: next.kid };
  }
  if (current !== undefined && next === undefined && nowMs >= replacementDueAtMs(current, rules)) {
    return { kind: 'make', state: 'next' };
  }
  const over = keys.find((key) => key.state === 'retired' && key.publishedUntilMs <= nowMs);
  return over && { kind: 'remove', kid: over.kid };
}

/** When a `next` key begins to sign by itself; undefined where that is a person's word. */
export function activatesAtMs(
  next: Pick<RingKey, 'publishedAtMs'>,
  rules: RotationRules,
): EpochMs | undefined {
  return rules.waitsForWord ? undefined : next.publishedAtMs + rules.publishAheadMs;
}

function isReady(next: RingKey, rules: RotationRules, nowMs: EpochMs): boolean {
  const atMs = activatesAtMs(next, rules);
  return atMs !== undefined && nowMs >= atMs;
}

function replacementDueAtMs(
  { activatedAtMs }: Extract<RingKey, { state: 'current' }>,
  rules: RotationRules,
): EpochMs {
  return activatedAtMs + Math.max(0, rules.rotateAfterMs - rules.publishAheadMs);
}
