import { OamError } from '../../../../src/domain/errors.ts';
import {
  activate,
  atDeadline,
  beginRevoking,
  confirmAbsent,
  type Ending,
  giveUp,
  isAhead,
  isLive,
  markStuck,
  proveAlive,
  startProvisioning,
  unstick,
  withTrouble,
} from '../../../../src/domain/grant.ts';
import {
  atLeaseEnd,
  endWithGrant,
  issueLease,
  type Lease,
  renewLease,
} from '../../../../src/domain/lease.ts';
import { isDemanded, type Membership } from '../../../../src/domain/membership.ts';
import { reviewGrant } from '../../../../src/domain/review.ts';
import { type EpochMs, minutesToMs } from '../../../../src/domain/time.ts';
import type { Name } from './company.ts';
import type { DeskGrant } from './records.ts';
import { RequestDesk } from './request-desk.ts';
import { CONFIRM_MS, type Fate } from './surroundings.ts';

/** After so many refused removals one is called stuck. */
export const STUCK_AFTER = 3;

/** A place as one text. */
export const placeOf = ({ groupId, memberKey }: Membership): string => `${groupId}/${memberKey}`;

/** The rules of `src/domain` over a store that compares versions: as little of its own as a world needs. Here access is given and ends. */
export class Desk extends RequestDesk {
  /** What happens by itself when its time has come. */
  sweep(): void {
    for (const request of this.requests.all) this.isLapsed(request);
    for (const grant of this.grants.all) {
      const next = atDeadline(grant, this.nowMs, this.#lastTokenEndsAtMs(grant));
      if (next !== grant) this.#leave(grant, next);
    }
    this.leases = this.leases.map((lease) => atLeaseEnd(lease, this.nowMs));
  }

  end(id: string, reason: Ending): DeskGrant {
    let grant = this.grants.read(id);
    while (grant.successorId !== undefined) grant = this.grants.read(grant.successorId);
    return this.#leave(grant, beginRevoking(grant, reason, this.#lastTokenEndsAtMs(grant)));
  }

  /** The last look before Databricks is called for a grant, and the call. */
  add(id: string, fate: Fate): void {
    let grant = this.grants.read(id);
    if (!isLive(grant) || isAhead(grant, this.nowMs)) return;
    const first = !grant.additionBegun;
    if (first) {
      const request = this.requests.read(grant.requestId);
      if (this.hashNow(request) !== grant.requestHash) {
        this.#leave(grant, giveUp(grant, 'The role changed.'));
        this.judgeAnew(request);
        return;
      }
      if (!this.isFresh(grant.principal)) {
        this.grants.save(grant, withTrouble(grant, 'Sign in again.'));
        throw new OamError('sign_in_again', 'Sign in again.');
      }
      const begun = startProvisioning(grant, this.nowMs);
      grant = this.grants.save(grant, { ...begun, additionBegun: true });
    }
    if (fate === 'is refused') {
      this.grants.save(grant, { ...withTrouble(grant, 'Refused.'), additionBegun: !first });
    } else {
      this.surroundings.write('add', placeOf(grant.membership), fate);
    }
  }

  /** Removes the member of a grant that ends, unless another grant demands it. True if that was written. */
  remove(id: string, fate: Fate): boolean {
    const grant = this.grants.read(id);
    if (!grant.additionBegun || isDemanded(grant.membership, this.grants.all)) return false;
    if (fate === 'is refused') {
      const refusedRemovals = grant.refusedRemovals + 1;
      const step = refusedRemovals >= STUCK_AFTER ? markStuck : withTrouble;
      this.grants.save(grant, { ...step(grant, 'Refused.'), refusedRemovals });
      return false;
    }
    this.surroundings.write('remove', placeOf(grant.membership), fate);
    this.grants.save(grant, { ...unstick(grant), refusedRemovals: 0 });
    return true;
  }

  /** Reads the group and believes what it shows. */
  look(id: string): void {
    const grant = this.grants.read(id);
    const nowMs = this.nowMs;
    const isThere = this.surroundings.members.has(placeOf(grant.membership));
    if (grant.state === 'provisioning' && grant.additionBegun && isThere) {
      this.grants.save(grant, activate(grant, nowMs, nowMs));
    }
    if (grant.state !== 'revoking' && grant.state !== 'revoke_stuck') return;
    if (!grant.additionBegun || isDemanded(grant.membership, this.grants.all)) {
      this.grants.save(grant, confirmAbsent(grant, { kind: 'kept', absentAtMs: undefined }));
    } else if (isThere || grant.firstAbsentAtMs === undefined) {
      this.grants.save(grant, { ...grant, firstAbsentAtMs: isThere ? undefined : nowMs });
    } else if (nowMs - grant.firstAbsentAtMs >= CONFIRM_MS) {
      const absentAtMs = grant.firstAbsentAtMs;
      this.grants.save(grant, confirmAbsent(grant, { kind: 'absent', absentAtMs, tokensKeepRight: false }));
    }
  }

  issueToken(id: string): Lease {
    const grant = this.grants.read(id);
    const endsAtMs = grant.endsAtMs ?? 0;
    if (grant.state !== 'active' || this.nowMs >= endsAtMs) {
      throw new OamError('grant_not_active', 'This access is not active.');
    }
    const expiresAtMs = Math.min(endsAtMs, this.nowMs + minutesToMs(15));
    const held = this.leases.find((lease) => lease.grantId === id);
    const lease =
      held === undefined
        ? issueLease({ id: this.id('l'), grantId: id, expiresAtMs }, this.nowMs)
        : renewLease(held, expiresAtMs, this.nowMs);
    this.leases = [...this.leases.filter((each) => each !== held), lease];
    return lease;
  }

  proveAlive(id: string): DeskGrant {
    const grant = this.grants.read(id);
    return this.grants.save(grant, proveAlive(grant, this.nowMs));
  }

  review(id: string, name: Name): DeskGrant {
    const grant = this.grants.read(id);
    const reviewer = this.person(name);
    return this.grants.save(
      grant,
      reviewGrant(grant, { verdict: 'ok', reviewer, comment: 'Seen', atMs: this.nowMs }),
    );
  }

  #leave(grant: DeskGrant, next: DeskGrant): DeskGrant {
    const chain = this.#chainOf(grant);
    this.leases = this.leases.map((lease) =>
      chain.has(lease.grantId) ? endWithGrant(lease, 'right', this.nowMs) : lease,
    );
    return this.grants.save(grant, next);
  }

  #lastTokenEndsAtMs(grant: DeskGrant): EpochMs | undefined {
    const chain = this.#chainOf(grant);
    const ends = this.leases
      .filter(({ grantId, expiresAtMs }) => chain.has(grantId) && expiresAtMs > this.nowMs)
      .map(({ expiresAtMs }) => expiresAtMs);
    return ends.length === 0 ? undefined : Math.max(...ends);
  }

  #chainOf({ chainId }: DeskGrant): ReadonlySet<string> {
    return new Set(this.grants.all.filter((grant) => grant.chainId === chainId).map(({ id }) => id));
  }
}
