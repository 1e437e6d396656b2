import assert from 'node:assert/strict';

import fc from 'fast-check';

import { compareMembers, decideRemoval } from '../../../src/domain/reconciliation.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/domain/time.ts';
import { runs } from '../../reporting/properties.ts';

const ids = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 5 })
  .map((list) => new Set<string>(list));

const ground = fc.record({
  graceMinutes: fc.option(fc.integer({ min: 1, max: 600 }), { nil: undefined }),
  memberCount: fc.integer({ min: 0, max: 200 }),
  adoptedByThisStore: fc.boolean(),
  restoredAtMs: fc.option(fc.integer({ min: 0, max: 10 * HOUR_MS }), { nil: undefined }),
});

const strangers = fc
  .array(fc.integer({ min: 0, max: 10 * HOUR_MS }), { maxLength: 40 })
  .map((times) => times.map((firstSeenAtMs, index) => ({ memberId: String(index), firstSeenAtMs })));

const NOW = 10 * HOUR_MS;

describe('the comparison of a group with the store', () => {
  it('calls nobody a stranger whom a grant demands or moves, and nobody lost who is there', () => {
    fc.assert(
      fc.property(ids, ids, ids, (demanded, moving, present) => {
        const { lost, strangers: found } = compareMembers({ demanded, moving }, present);
        for (const id of found) {
          assert.ok(present.has(id) && !demanded.has(id) && !moving.has(id));
        }
        for (const id of lost) assert.ok(demanded.has(id) && !present.has(id) && !moving.has(id));
        for (const id of present) {
          assert.ok(demanded.has(id) || moving.has(id) || found.includes(id));
        }
      }),
      { numRuns: runs(1_000) },
    );
  });
});

describe('the removal of strangers', () => {
  it('waits for the grace, takes a few at once, and nobody in a store that may have forgotten', () => {
    fc.assert(
      fc.property(strangers, ground, (some, where) => {
        const decision = decideRemoval(some, where, NOW);
        if (decision.kind !== 'remove') return;
        const { graceMinutes } = where;
        assert.ok(graceMinutes !== undefined);
        assert.ok(where.adoptedByThisStore);
        assert.ok(where.restoredAtMs === undefined || NOW - where.restoredAtMs >= HOUR_MS);
        assert.ok(some.length <= Math.max(2, where.memberCount / 10));
        for (const id of decision.memberIds) {
          const stranger = some.find(({ memberId }) => memberId === id);
          assert.ok(stranger !== undefined && NOW - stranger.firstSeenAtMs >= graceMinutes * MINUTE_MS);
        }
      }),
      { numRuns: runs(2_000) },
    );
  });

  it('happens where all of that is so', () => {
    const decision = decideRemoval(
      [{ memberId: 'x', firstSeenAtMs: 0 }],
      { graceMinutes: 240, memberCount: 5, adoptedByThisStore: true, restoredAtMs: undefined },
      NOW,
    );
    assert.deepEqual(decision, { kind: 'remove', memberIds: ['x'] });
  });
});
