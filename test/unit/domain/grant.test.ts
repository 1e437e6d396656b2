import assert from 'node:assert/strict';

import fc from 'fast-check';

import { OamError } from '../../../src/domain/errors.ts';
import {
  activate,
  atDeadline,
  beginRevoking,
  confirmAbsent,
  giveUp,
  type Grant,
  isFinal,
  isLive,
  markStuck,
  scheduleGrant,
  startProvisioning,
  unstick,
  withTrouble,
} from '../../../src/domain/grant.ts';
import { GRANT_STATES } from '../../../src/domain/lifecycle.ts';
import { isDemanded, type Membership, sameMembership } from '../../../src/domain/membership.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import { runs } from '../../reporting/properties.ts';

const ENDINGS = ['expired', 'returned', 'revoked'] as const;

const seed = {
  id: 'g',
  requestId: 'r',
  principal: { iss: 'i', sub: 's' },
  roleId: 'role',
  runGraceMinutes: undefined,
  minutes: 30,
  startsAtMs: undefined,
  review: undefined,
};

type Step = (grant: Grant, nowMs: number) => Grant;

const step = fc.constantFrom<Step>(
  (grant, now) => startProvisioning(grant, now),
  (grant, now) => activate(grant, now, now),
  (grant, now) => atDeadline(grant, now, undefined),
  (grant) => giveUp(grant, 'no group'),
  (grant) => withTrouble(grant, 'slow'),
  (grant) => markStuck(grant, 'refused'),
  (grant) => unstick(grant),
  (grant, now) => confirmAbsent(grant, { kind: 'absent', absentAtMs: now, tokensKeepRight: false }),
  (grant) => confirmAbsent(grant, { kind: 'kept', absentAtMs: undefined }),
  ...ENDINGS.map(
    (reason): Step =>
      (grant, now) =>
        beginRevoking(grant, reason, now + MINUTE_MS),
  ),
);

const plays = fc
  .tuple(
    fc.array(fc.tuple(step, fc.integer({ min: 1, max: 20 * MINUTE_MS })), { maxLength: 25 }),
    fc.option(fc.integer({ min: 0, max: 90 * MINUTE_MS }), { nil: undefined }),
  )
  .map(([steps, startsAtMs]) => {
    let nowMs = 0;
    let grant = scheduleGrant({ ...seed, startsAtMs }, nowMs);
    const seen = [{ grant, nowMs }];
    for (const [apply, passed] of steps) {
      nowMs += passed;
      try {
        grant = apply(grant, nowMs);
      } catch (error) {
        if (!(error instanceof OamError)) throw error;
      }
      seen.push({ grant, nowMs });
    }
    return seen;
  });

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  scheduled: ['provisioning', 'revoking'],
  provisioning: ['active', 'revoking'],
  active: ['revoking'],
  revoking: ['revoke_stuck', 'ended', 'failed'],
  revoke_stuck: ['revoking', 'ended', 'failed'],
  ended: [],
  failed: [],
};

describe('a grant, whatever befalls it', () => {
  it('takes only the steps of its life, one version each, and never leaves its end', () => {
    fc.assert(
      fc.property(plays, (seen) => {
        for (const [index, { grant }] of seen.entries()) {
          const previous = seen[index - 1]?.grant ?? grant;
          if (grant === previous) continue;
          // What stands in the way is no step: whoever decided on the state still means what they decided.
          assert.equal(grant.version, previous.version + (grant.state === previous.state ? 0 : 1));
          assert.ok(!isFinal(previous));
          if (grant.state !== previous.state) {
            assert.ok(ALLOWED[previous.state]?.includes(grant.state), `${previous.state} → ${grant.state}`);
          }
        }
      }),
    );
  });

  it('is over exactly where it has ended or failed, and then nothing of it changes any more', () => {
    for (const state of GRANT_STATES) assert.equal(isFinal({ state }), ['ended', 'failed'].includes(state));
    let went = 0;
    fc.assert(
      fc.property(plays, (seen) => {
        for (const [index, { grant }] of seen.entries()) {
          if (grant.state !== 'ended' && grant.state !== 'failed') continue;
          for (const later of seen.slice(index + 1)) {
            went += 1;
            assert.equal(later.grant, grant);
          }
        }
      }),
    );
    assert.ok(went > 0, 'no play went on after the end');
  });

  it('has its whole window from activation on, and never more', () => {
    fc.assert(
      fc.property(plays, (seen) => {
        for (const { grant } of seen) {
          assert.equal(grant.activatedAtMs === undefined, grant.endsAtMs === undefined);
          if (grant.activatedAtMs === undefined || grant.endsAtMs === undefined) continue;
          assert.equal(grant.endsAtMs - grant.activatedAtMs, 30 * MINUTE_MS);
          assert.notEqual(grant.membershipPresentAtMs, undefined);
        }
      }),
    );
  });

  it('is not begun before its start, and is waited for from then on as long as its window would have lasted', () => {
    let ahead = 0;
    fc.assert(
      fc.property(plays, (seen) => {
        for (const { grant, nowMs } of seen) {
          const { startsAtMs, activatedAtMs } = grant;
          if (startsAtMs === undefined) continue;
          if (grant.state === 'scheduled') {
            assert.equal(grant.deadlineAtMs, startsAtMs + 30 * MINUTE_MS);
            assert.equal(grant.membershipPresentAtMs, undefined);
          }
          if (nowMs >= startsAtMs) continue;
          ahead += 1;
          assert.ok(!['provisioning', 'active'].includes(grant.state));
          assert.equal(activatedAtMs, undefined);
        }
      }),
      { numRuns: runs(500) },
    );
    assert.ok(ahead > 100, `${ahead} looks before a start`);
  });

  it('is not live once a look at its deadline was taken at or after it', () => {
    fc.assert(
      fc.property(plays, (seen) => {
        for (const { grant } of seen) {
          assert.ok(!isLive(atDeadline(grant, grant.deadlineAtMs, undefined)));
          const early = atDeadline(grant, grant.deadlineAtMs - 1, undefined);
          assert.equal(early, grant);
        }
      }),
    );
  });

  it('leaves a token with the right while nobody saw the membership go, and without it from then on', () => {
    fc.assert(
      fc.property(plays, (seen) => {
        for (const { grant } of seen) {
          if (isLive(grant)) assert.equal(grant.outlives, undefined);
          if (grant.outlives === undefined) continue;
          const gone = grant.membershipAbsentAtMs !== undefined;
          assert.equal(grant.outlives.what, gone ? 'tokenOnly' : 'right');
        }
      }),
    );
  });

  it('ends for a reason, and fails only where it never was active', () => {
    fc.assert(
      fc.property(plays, (seen) => {
        for (const { grant } of seen) {
          if (grant.state === 'ended') assert.notEqual(grant.endReason, undefined);
          if (grant.state === 'failed') {
            assert.equal(grant.activatedAtMs, undefined);
            assert.equal(grant.trouble !== undefined, true);
          }
        }
      }),
    );
  });
});

describe('a membership', () => {
  const membership: fc.Arbitrary<Membership> = fc.record({
    groupId: fc.constantFrom('1', '2'),
    memberKey: fc.constantFrom('a', 'b', 'c'),
  });
  const state = fc.constantFrom(
    'scheduled',
    'provisioning',
    'active',
    'revoking',
    'revoke_stuck',
    'ended',
    'failed',
  );

  it('is demanded exactly while a grant of the same group and member lives for which an addition was begun', () => {
    fc.assert(
      fc.property(
        membership,
        fc.array(fc.record({ state, membership, additionBegun: fc.boolean() }), { maxLength: 8 }),
        (place, grants) => {
          const demanding = grants.filter(
            (grant) =>
              ['scheduled', 'provisioning', 'active'].includes(grant.state) &&
              grant.additionBegun &&
              sameMembership(grant.membership, place),
          );
          assert.equal(isDemanded(place, grants), demanding.length > 0);
          const others = grants.map((grant) =>
            demanding.includes(grant) ? { ...grant, state: 'ended' as const } : grant,
          );
          assert.equal(isDemanded(place, others), false);
        },
      ),
    );
  });
});
