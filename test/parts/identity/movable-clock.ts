import type { Clock } from '../../../src/domain/time.ts';

/** The real time, moved by hand: for what must agree with others who know only the real one. */
export function movableClock(): Clock & { aheadMs: number } {
  return {
    aheadMs: 0,
    nowMs() {
      return Date.now() + this.aheadMs;
    },
  };
}
