import assert from 'node:assert/strict';

import fc from 'fast-check';

import { hasCode, OamError } from '../../../src/domain/errors.ts';
import {
  atLeaseEnd,
  confirmRevoked,
  endWithGrant,
  issueLease,
  type Lease,
  renewLease,
} from '../../../src/domain/lease.ts';
import { LEASE_STATES } from '../../../src/domain/lifecycle.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';

const LIFE_MS = 15 * MINUTE_MS;

type Step = (lease: Lease, nowMs: number) => Lease;

const step = fc.constantFrom<Step>(
  (lease, now) => renewLease(lease, now + LIFE_MS, now),
  (lease, now) => atLeaseEnd(lease, now),
  (lease, now) => endWithGrant(lease, 'tokenOnly', now),
  (lease, now) => endWithGrant(lease, 'right', now),
  (lease, now) => confirmRevoked(lease, now),
);

interface Seen {
  readonly lease: Lease;
  readonly nowMs: number;
  readonly refusal: unknown;
}

const plays = fc
  .array(fc.tuple(step, fc.integer({ min: 0, max: 20 * MINUTE_MS })), { maxLength: 25 })
  .map((steps) => {
    let nowMs = 0;
    let lease = issueLease({ id: 'l', grantId: 'g', expiresAtMs: LIFE_MS }, nowMs);
    const seen: Seen[] = [{ lease, nowMs, refusal: undefined }];
    for (const [apply, passed] of steps) {
      nowMs += passed;
      let refusal: unknown;
      try {
        lease = apply(lease, nowMs);
      } catch (error) {
        if (!(error instanceof OamError)) throw error;
        refusal = error;
      }
      seen.push({ lease, nowMs, refusal });
    }
    return seen;
  });

const stateOf = ({ lease }: Seen): Lease['status']['state'] => lease.status.state;

describe('a lease', () => {
  it('goes only the ways that are drawn', () => {
    const ways: Readonly<Record<Lease['status']['state'], readonly Lease['status']['state'][]>> = {
      issued: ['issued', 'renewed', 'expired', 'revoked', 'outlives'],
      renewed: ['renewed', 'expired', 'revoked', 'outlives'],
      expired: ['expired', 'renewed'],
      outlives: ['outlives', 'revoked'],
      revoked: ['revoked'],
    };
    assert.deepEqual(Object.keys(ways).sort(), [...LEASE_STATES].sort());
    fc.assert(
      fc.property(plays, (seen) => {
        for (const [index, { lease }] of seen.entries()) {
          const before = seen[index - 1];
          if (before !== undefined) assert.ok(ways[stateOf(before)].includes(lease.status.state));
        }
      }),
    );
  });

  it('never ends sooner than it was said to, and a renewal makes it no shorter', () => {
    fc.assert(
      fc.property(plays, (seen) => {
        for (const [index, { lease, nowMs }] of seen.entries()) {
          assert.ok(lease.expiresAtMs >= (seen[index - 1]?.lease.expiresAtMs ?? 0));
          if (lease.status.state === 'expired') assert.ok(nowMs >= lease.expiresAtMs);
        }
      }),
    );
  });

  it('that outlives its grant is one that had time left, and says until when', () => {
    fc.assert(
      fc.property(plays, (seen) => {
        for (const [index, { lease, nowMs }] of seen.entries()) {
          const before = seen[index - 1];
          if (lease.status.state !== 'outlives' || before === undefined) continue;
          assert.equal(lease.status.outliving.untilMs, lease.expiresAtMs);
          if (stateOf(before) !== 'outlives') assert.ok(nowMs < lease.expiresAtMs);
        }
      }),
    );
  });

  it('is renewed under a grant that lives only', () => {
    fc.assert(
      fc.property(plays, fc.nat(), (seen, later) => {
        for (const { lease, nowMs } of seen) {
          const renew = (): Lease => renewLease(lease, nowMs + later, nowMs);
          if (lease.status.state === 'outlives' || lease.status.state === 'revoked') {
            assert.throws(renew, (error) => hasCode(error, 'grant_not_active'));
          } else {
            assert.equal(renew().status.state, 'renewed');
          }
        }
      }),
    );
    const once = renewLease(issueLease({ id: 'l', grantId: 'g', expiresAtMs: 10 }, 0), 20, 5);
    const twice = renewLease(once, 15, 6);
    assert.deepEqual(twice.status, { state: 'renewed', renewals: 2, renewedAtMs: 6 });
    assert.equal(twice.expiresAtMs, 20);
  });

  it('that is seen to be gone outlives nothing', () => {
    const lease = issueLease({ id: 'l', grantId: 'g', expiresAtMs: 100 }, 0);
    const gone = confirmRevoked(endWithGrant(lease, 'right', 50), 55);
    assert.deepEqual(gone.status, { state: 'revoked', revokedAtMs: 55 });
    assert.equal(confirmRevoked(atLeaseEnd(lease, 100), 110).status.state, 'expired');
  });
});
