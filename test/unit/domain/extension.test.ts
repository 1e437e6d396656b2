import assert from 'node:assert/strict';

import fc from 'fast-check';

import { hasCode } from '../../../src/domain/errors.ts';
import {
  expectExtendable,
  extensionMinutes,
  handOver,
  heldMinutesAtEnd,
  isExtendable,
} from '../../../src/domain/extension.ts';
import {
  activate,
  atDeadline,
  beginRevoking,
  type Grant,
  isLive,
  scheduleGrant,
  startProvisioning,
} from '../../../src/domain/grant.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import { runs } from '../../reporting/properties.ts';
import { refusalOf } from './refusal.ts';

const terms = fc
  .record({
    defaultMinutes: fc.integer({ min: 1, max: 90 }),
    beyondDefault: fc.integer({ min: 0, max: 60 }),
    windows: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ defaultMinutes, beyondDefault, windows }) => ({
    defaultMinutes,
    maxMinutes: defaultMinutes + beyondDefault,
    maxTotalMinutes: windows * (defaultMinutes + beyondDefault),
  }));

const step = fc.record({
  passedMs: fc.integer({ min: 0, max: 40 * MINUTE_MS }),
  asked: fc.option(fc.integer({ min: -1, max: 200 }), { nil: undefined }),
});

const active = (minutes: number): Grant => {
  const principal = { iss: 'i', sub: 's' };
  const seed = {
    ...{ id: 'g0', requestId: 'r0', principal, roleId: 'role', minutes },
    ...{ startsAtMs: undefined, runGraceMinutes: undefined, review: undefined },
  };
  return activate(startProvisioning(scheduleGrant(seed, 0), 0), 0, 0);
};

describe('a chain of extensions', () => {
  it('leaves no gap, holds one live grant at any moment, and keeps within both limits', () => {
    let handovers = 0;
    fc.assert(
      fc.property(terms, fc.array(step, { maxLength: 12 }), (role, steps) => {
        let nowMs = 0;
        const chain: Grant[] = [active(role.defaultMinutes)];
        for (const { passedMs, asked } of steps) {
          nowMs += passedMs;
          const last = chain.at(-1);
          assert.ok(last);
          if (!isExtendable(last, nowMs)) {
            assert.equal(
              refusalOf(() => handOver(last, { id: 'x', requestId: 'x', minutes: 1 }, nowMs)),
              'grant_not_active',
            );
            continue;
          }
          let minutes: number;
          try {
            minutes = extensionMinutes(last, asked, role, nowMs);
          } catch (error) {
            assert.ok(hasCode(error, 'window_too_long') || hasCode(error, 'window_too_short'));
            continue;
          }
          if (asked !== undefined) assert.equal(minutes, asked);
          const id = `g${chain.length}`;
          const { earlier, later } = handOver(last, { id, requestId: `r${chain.length}`, minutes }, nowMs);
          handovers += 1;
          chain.splice(-1, 1, earlier, later);

          assert.equal(later.endsAtMs, last.endsAtMs + minutes * MINUTE_MS);
          assert.ok((later.endsAtMs ?? 0) - nowMs <= role.maxMinutes * MINUTE_MS);
          assert.ok(heldMinutesAtEnd(expectExtendable(later, nowMs)) <= role.maxTotalMinutes);
          assert.equal(later.deadlineAtMs, later.endsAtMs);
          assert.equal(earlier.successorId, later.id);
          assert.equal(later.extendsId, earlier.id);
          assert.deepEqual([earlier.state, earlier.endReason], ['ended', 'extended']);
          assert.equal(earlier.membershipAbsentAtMs, undefined);
          assert.equal(later.membershipPresentAtMs, last.membershipPresentAtMs);
          assert.equal(
            refusalOf(() => handOver(earlier, { id: 'x', requestId: 'x', minutes }, nowMs)),
            'already_extended',
          );
        }
        assert.equal(chain.filter(isLive).length, 1);
        assert.deepEqual(new Set(chain.map(({ chainId }) => chainId)), new Set(['g0']));
        const sum = chain.reduce((total, { minutes }) => total + minutes, 0);
        assert.equal(chain.at(-1)?.endsAtMs, sum * MINUTE_MS);
      }),
      { numRuns: runs(1_000) },
    );
    assert.ok(handovers > 500, `${handovers} handovers`);
  });

  it('cannot begin once the window is over, whether or not that was noticed, nor after any other end', () => {
    const grant = active(30);
    const endsAtMs = grant.endsAtMs ?? 0;
    const seed = { id: 'g1', requestId: 'r1', minutes: 10 };
    assert.equal(
      refusalOf(() => handOver(grant, seed, endsAtMs)),
      'grant_not_active',
    );
    assert.equal(
      refusalOf(() => handOver(grant, seed, endsAtMs - 1)),
      'none',
    );
    for (const reason of ['returned', 'revoked'] as const) {
      const ending = beginRevoking(grant, reason, undefined);
      assert.equal(
        refusalOf(() => handOver(ending, seed, 1)),
        'grant_not_active',
      );
    }
    assert.equal(
      refusalOf(() => handOver(atDeadline(grant, endsAtMs, undefined), seed, 1)),
      'grant_not_active',
    );
    const { earlier } = handOver(grant, seed, 1);
    for (const reason of ['expired', 'returned', 'revoked'] as const) {
      assert.equal(
        refusalOf(() => beginRevoking(earlier, reason, undefined)),
        'grant_not_active',
      );
    }
    assert.equal(atDeadline(earlier, endsAtMs, undefined), earlier);
  });

  it('offers what fits where nothing is asked for, and nothing where nothing fits', () => {
    const role = { defaultMinutes: 60, maxMinutes: 60, maxTotalMinutes: 100 };
    const grant = expectExtendable(active(60), 0);
    const at = (minute: number, asked?: number) => () =>
      extensionMinutes(grant, asked, role, minute * MINUTE_MS);
    assert.equal(at(20)(), 20);
    assert.equal(at(59)(), 40);
    assert.equal(refusalOf(at(0)), 'window_too_long');
    assert.equal(refusalOf(at(59, 41)), 'window_too_long');
    assert.equal(refusalOf(at(30, 1.5)), 'bad_request');
    assert.equal(refusalOf(at(30, 0)), 'window_too_short');
  });

  it('is not for runs: their access goes on by itself while they live', () => {
    const run = { ...active(30), runGraceMinutes: 10 };
    assert.throws(
      () => expectExtendable(run, 1),
      (error) => hasCode(error, 'bad_request'),
    );
  });
});
