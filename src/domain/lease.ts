import { OamError } from './errors.ts';
import type { OutlivingKind } from './lifecycle.ts';
import type { EpochMs } from './time.ts';

/**
 * What is left of a credential after the end of the grant that it was issued under.
 *
 * `tokenOnly`: the token is still taken, but the right behind it is gone. `right`: the token still carries the right,
 * because somebody else's grant keeps it or because nothing can take it back.
 */
export interface Outliving {
  /** When the credential itself expires. */
  readonly untilMs: EpochMs;
  readonly what: OutlivingKind;
}

/** Where a lease is in its life. */
export type LeaseStatus =
  | { readonly state: 'issued' }
  | { readonly state: 'renewed'; readonly renewals: number; readonly renewedAtMs: EpochMs }
  /** Over by its own end. Where its grant lives on it can be renewed: a laptop slept. */
  | { readonly state: 'expired' }
  /** Taken back and seen to be gone. */
  | { readonly state: 'revoked'; readonly revokedAtMs: EpochMs }
  | { readonly state: 'outlives'; readonly outliving: Outliving };

/** One credential that was issued under a grant. */
export interface Lease {
  readonly id: string;
  readonly grantId: string;
  readonly issuedAtMs: EpochMs;
  /** When the longest-lived credential under the lease expires. */
  readonly expiresAtMs: EpochMs;
  readonly status: LeaseStatus;
}

/** What a new lease is made of. */
export type LeaseSeed = Pick<Lease, 'id' | 'grantId' | 'expiresAtMs'>;

/** A lease as it is committed before its credential is made. */
export function issueLease(seed: LeaseSeed, nowMs: EpochMs): Lease {
  return { ...seed, issuedAtMs: nowMs, status: { state: 'issued' } };
}

/**
 * A fresh credential under the same lease. Its end is the later one of both.
 *
 * @throws {OamError} `grant_not_active` where the lease went with its grant.
 */
export function renewLease<L extends Lease>(lease: L, expiresAtMs: EpochMs, nowMs: EpochMs): L {
  const { status } = lease;
  if (status.state === 'revoked' || status.state === 'outlives') {
    throw new OamError(
      'grant_not_active',
      'This access has ended, and its credentials with it. Ask for the role again if you still need it.',
    );
  }
  const renewals = status.state === 'renewed' ? status.renewals : 0;
  return {
    ...lease,
    expiresAtMs: Math.max(lease.expiresAtMs, expiresAtMs),
    status: { state: 'renewed', renewals: renewals + 1, renewedAtMs: nowMs },
  };
}

/** A lease whose end has come is expired. Unchanged before that, and where it is over otherwise. */
export function atLeaseEnd<L extends Lease>(lease: L, nowMs: EpochMs): L {
  const { state } = lease.status;
  if (nowMs < lease.expiresAtMs || (state !== 'issued' && state !== 'renewed')) return lease;
  return { ...lease, status: { state: 'expired' } };
}

/**
 * The grant ends: a credential that has not expired by then outlives it, until it expires or is seen to be taken back.
 * Unchanged where the lease is over already.
 *
 * @param what what is left of the credential.
 */
export function endWithGrant<L extends Lease>(lease: L, what: OutlivingKind, nowMs: EpochMs): L {
  const ended = atLeaseEnd(lease, nowMs);
  if (ended.status.state !== 'issued' && ended.status.state !== 'renewed') return ended;
  return { ...ended, status: { state: 'outlives', outliving: { untilMs: lease.expiresAtMs, what } } };
}

/** A read has shown that the credential does not exist any more. Unchanged where it had expired before. */
export function confirmRevoked<L extends Lease>(lease: L, seenGoneAtMs: EpochMs): L {
  const { state } = lease.status;
  if (state === 'expired' || state === 'revoked') return lease;
  return { ...lease, status: { state: 'revoked', revokedAtMs: seenGoneAtMs } };
}
