import assert from 'node:assert/strict';

import fc from 'fast-check';

import {
  dueStep,
  type RingKey,
  type RotationRules,
  type RotationStep,
} from '../../../../src/control-plane/issuer/key-states.ts';
import { TOKEN_MAX_MINUTES } from '../../../../src/domain/role.ts';
import { HOUR_MS, MINUTE_MS } from '../../../../src/domain/time.ts';
import { runs } from '../../../reporting/properties.ts';

const RULES: RotationRules = {
  rotateAfterMs: 30 * HOUR_MS,
  publishAheadMs: 4 * HOUR_MS,
  waitsForWord: false,
};

const LONGEST_TOKEN_MS = TOKEN_MAX_MINUTES * MINUTE_MS;

/** What a step does to the ring, as the store does it. */
function take(keys: readonly RingKey[], step: RotationStep, nowMs: number, kid: string): RingKey[] {
  switch (step.kind) {
    case 'make':
      return step.state === 'next'
        ? [...keys, { kid, publishedAtMs: nowMs, state: 'next' }]
        : [...keys, { kid, publishedAtMs: nowMs, state: 'current', activatedAtMs: nowMs }];
    case 'remove':
      return keys.filter((key) => key.kid !== step.kid);
    case 'activate':
      return keys.map(({ kid: id, publishedAtMs, state }): RingKey => {
        const key = { kid: id, publishedAtMs };
        if (id === step.kid) return { ...key, state: 'current', activatedAtMs: nowMs };
        const old = keys.find((candidate) => candidate.kid === id);
        if (state !== 'current') return old ?? { ...key, state: 'next' };
        return {
          ...key,
          state: 'retired',
          retiredAtMs: nowMs,
          publishedUntilMs: nowMs + LONGEST_TOKEN_MS,
        };
      });
  }
}

interface Moment {
  readonly nowMs: number;
  readonly keys: readonly RingKey[];
}

/** Time passes unevenly; now and then a person begins a rotation, and now and then no replica is up to look. */
const histories = fc
  .array(
    fc.record({
      passedMs: fc.integer({ min: 1, max: 3 * HOUR_MS }),
      begins: fc.boolean(),
      looks: fc.boolean(),
    }),
    { minLength: 5, maxLength: 80 },
  )
  .map((ticks) => {
    let nowMs = 0;
    let made = 0;
    let keys: RingKey[] = [];
    const seen: Moment[] = [];
    const look = (): void => {
      for (let step = dueStep(keys, RULES, nowMs); step; step = dueStep(keys, RULES, nowMs)) {
        keys = take(keys, step, nowMs, `key-${(made += 1)}`);
        seen.push({ nowMs, keys });
      }
    };
    look();
    for (const { passedMs, begins, looks } of ticks) {
      nowMs += passedMs;
      if (begins && !keys.some((key) => key.state === 'next')) {
        keys = [...keys, { kid: `key-${(made += 1)}`, publishedAtMs: nowMs, state: 'next' }];
      }
      if (looks) look();
      seen.push({ nowMs, keys });
    }
    return seen;
  });

const kidsOf = (keys: readonly RingKey[]): string[] => keys.map(({ kid }) => kid);

/** What the ring held at a moment. */
function ringAt(history: readonly Moment[], atMs: number): readonly RingKey[] {
  return history.findLast(({ nowMs }) => nowMs <= atMs)?.keys ?? [];
}

describe('the rotation of signing keys', () => {
  it('has one key that signs at any time, and one at most that waits', () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (const { keys } of history.slice(1)) {
          assert.equal(keys.filter(({ state }) => state === 'current').length, 1);
          assert.ok(keys.filter(({ state }) => state === 'next').length <= 1);
          assert.equal(new Set(kidsOf(keys)).size, keys.length);
        }
      }),
    );
  });

  it('signs nothing that somebody with an old copy of the keys cannot verify, to the end of the token', () => {
    fc.assert(
      fc.property(
        histories,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: LONGEST_TOKEN_MS }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: RULES.publishAheadMs }),
        (history, when, lifeMs, used, ageMs) => {
          const lastMs = history.at(-1)?.nowMs ?? 0;
          const signedAtMs = Math.floor(when * lastMs);
          const kid = ringAt(history, signedAtMs).find(({ state }) => state === 'current')?.kid;
          const usedAtMs = Math.min(lastMs, signedAtMs + Math.floor(used * lifeMs));
          const copiedAtMs = usedAtMs - ageMs;
          // Before the first key there was nothing to copy.
          if (copiedAtMs < 0) return;
          assert.ok(kid !== undefined);
          assert.ok(
            kidsOf(ringAt(history, copiedAtMs)).includes(kid),
            `${kid} signed at ${signedAtMs} and is not in the copy of ${copiedAtMs}`,
          );
        },
      ),
      { numRuns: runs(500) },
    );
  });

  it('forgets a retired key once nothing that it signed is good any more', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const last = history.at(-1) ?? { nowMs: 0, keys: [] };
        const laterMs = last.nowMs + LONGEST_TOKEN_MS + 1;
        let keys = [...last.keys];
        for (let step = dueStep(keys, RULES, laterMs); step; step = dueStep(keys, RULES, laterMs)) {
          keys = take(keys, step, laterMs, 'later');
        }
        for (const key of keys) {
          if (key.state === 'retired') assert.ok(key.publishedUntilMs > laterMs);
        }
        assert.ok(keys.length <= 3);
      }),
    );
  });

  it('replaces a key at its age, and has the next one known by then', () => {
    const first: RingKey = { kid: 'one', publishedAtMs: 0, state: 'current', activatedAtMs: 0 };
    const aheadAtMs = RULES.rotateAfterMs - RULES.publishAheadMs;
    assert.equal(dueStep([first], RULES, aheadAtMs - 1), undefined);
    assert.deepEqual(dueStep([first], RULES, aheadAtMs), { kind: 'make', state: 'next' });
    const next: RingKey = { kid: 'two', publishedAtMs: aheadAtMs, state: 'next' };
    assert.equal(dueStep([first, next], RULES, RULES.rotateAfterMs - 1), undefined);
    assert.deepEqual(dueStep([first, next], RULES, RULES.rotateAfterMs), { kind: 'activate', kid: 'two' });
  });

  it("waits for a person's word where verifiers hold copies that nobody fetches anew", () => {
    const rules = { ...RULES, waitsForWord: true };
    const keys: RingKey[] = [
      { kid: 'one', publishedAtMs: 0, state: 'current', activatedAtMs: 0 },
      { kid: 'two', publishedAtMs: 0, state: 'next' },
    ];
    assert.equal(dueStep(keys, rules, 1_000 * HOUR_MS), undefined);
    assert.deepEqual(dueStep([{ kid: 'two', publishedAtMs: 0, state: 'next' }], rules, 0), {
      kind: 'activate',
      kid: 'two',
    });
  });
});
