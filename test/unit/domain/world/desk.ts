import { OamError } from '../../../../src/domain/errors.ts';
import {
  expectExtendable,
  extensionMinutes,
  handOver,
  heldMinutesAtEnd,
  isExtendable,
} from '../../../../src/domain/extension.ts';
import { areFactsFresh } from '../../../../src/domain/freshness.ts';
import {
  activate,
  atDeadline,
  beginRevoking,
  confirmAbsent,
  type Ending,
  giveUp,
  type Grant,
  isAhead,
  isLive,
  markStuck,
  proveAlive,
  scheduleGrant,
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
import { isDemanded, type Membership, membershipOf } from '../../../../src/domain/membership.ts';
import { type GroupFacts, type Principal, samePrincipal } from '../../../../src/domain/principal.ts';
import {
  type AccessRequest,
  approve,
  cancel,
  deny,
  lapse,
  lapseBaseless,
  isOpen,
  reopen,
  settle,
  windowMinutes,
} from '../../../../src/domain/request.ts';
import { requestHash } from '../../../../src/domain/request-hash.ts';
import { reviewDue, reviewGrant } from '../../../../src/domain/review.ts';
import type { Role } from '../../../../src/domain/role.ts';
import { type EpochMs, minutesToMs } from '../../../../src/domain/time.ts';
import { type Name, NAMES, PEOPLE, ROLES, RUN_GRACE_MINUTES } from './company.ts';
import { CONFIRM_MS, type Fate, type Surroundings } from './surroundings.ts';
import { Versioned } from './versioned.ts';

/** Unanswered requests lapse after so long, in minutes. */
export const LAPSE_MINUTES = 120;

/** After so many refused removals one is called stuck. */
export const STUCK_AFTER = 3;

/** A grant with what is kept of its writes. */
export interface DeskGrant extends Grant {
  readonly membership: Membership;
  readonly requestHash: string;
  readonly additionBegun: boolean;
  readonly firstAbsentAtMs: EpochMs | undefined;
  readonly refusedRemovals: number;
}

/** What somebody asks for. */
export interface Wish {
  readonly roleId: string;
  readonly minutes: number;
  readonly startsAtMs: EpochMs | undefined;
  readonly breakGlass: boolean;
}

/** A place as one text. */
export const placeOf = ({ groupId, memberKey }: Membership): string => `${groupId}/${memberKey}`;

/** The rules of `src/domain` over a store that compares versions: as little of its own as a world needs. */
export class Desk {
  readonly requests = new Versioned<AccessRequest>();
  readonly grants = new Versioned<DeskGrant>();
  readonly people = new Map<Name, Principal>();
  readonly roles = new Map(ROLES.map((role) => [role.id, role]));
  leases: readonly Lease[] = [];
  readonly #surroundings: Surroundings;
  #ids = 0;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    for (const name of NAMES) this.#learn(name, { kind: 'listed', names: PEOPLE[name].groups });
  }

  get #nowMs(): EpochMs {
    return this.#surroundings.nowMs;
  }

  signIn(name: Name, groups: GroupFacts): void {
    this.#learn(name, groups);
    const who = this.#person(name);
    for (const request of this.requests.all) {
      if (request.state !== 'awaiting_requester' || !samePrincipal(request.requester, who)) continue;
      if (this.#isLapsed(request) || groups.kind === 'overflowed' || this.#onNewGround(request)) continue;
      this.#commit(request, this.#settle(request));
    }
  }

  ask(name: Name, wish: Wish): AccessRequest {
    const requester = this.#signedIn(name);
    return this.#submit(requester, this.#role(wish.roleId), { ...wish, extension: undefined });
  }

  approve(id: string, name: Name, approvedMinutes: number | undefined): AccessRequest {
    const { request, approver } = this.#atDecision(id, name);
    const next = approve(request, {
      approver,
      approvedMinutes,
      comment: undefined,
      atMs: this.#nowMs,
      requesterFresh: this.#isFresh(request.requester),
      grantId: this.#id('g'),
    });
    return this.#commit(request, next);
  }

  deny(id: string, name: Name): AccessRequest {
    const { request, approver } = this.#atDecision(id, name);
    return this.requests.save(request, deny(request, { approver, comment: 'No', atMs: this.#nowMs }));
  }

  cancel(id: string, name: Name): AccessRequest {
    const request = this.requests.read(id);
    return this.requests.save(request, cancel(request, this.#person(name), this.#nowMs));
  }

  extend(id: string, name: Name, asked: number | undefined): AccessRequest {
    const caller = this.#signedIn(name);
    const grant = expectExtendable(this.grants.read(id), this.#nowMs);
    const role = this.#role(grant.roleId);
    return this.#submit(
      caller,
      role,
      {
        roleId: role.id,
        minutes: extensionMinutes(grant, asked, role, this.#nowMs),
        startsAtMs: undefined,
        breakGlass: false,
        extension: { grantId: id, heldMinutes: heldMinutesAtEnd(grant) },
      },
      grant.endsAtMs,
    );
  }

  /** What happens by itself when its time has come. */
  sweep(): void {
    for (const request of this.requests.all) this.#isLapsed(request);
    for (const grant of this.grants.all) {
      const next = atDeadline(grant, this.#nowMs, this.#lastTokenEndsAtMs(grant));
      if (next !== grant) this.#leave(grant, next);
    }
    this.leases = this.leases.map((lease) => atLeaseEnd(lease, this.#nowMs));
  }

  end(id: string, reason: Ending): DeskGrant {
    let grant = this.grants.read(id);
    while (grant.successorId !== undefined) grant = this.grants.read(grant.successorId);
    return this.#leave(grant, beginRevoking(grant, reason, this.#lastTokenEndsAtMs(grant)));
  }

  /** The last look before Databricks is called for a grant, and the call. */
  add(id: string, fate: Fate): void {
    let grant = this.grants.read(id);
    if (!isLive(grant) || isAhead(grant, this.#nowMs)) return;
    const first = !grant.additionBegun;
    if (first) {
      const request = this.requests.read(grant.requestId);
      if (this.#hashNow(request) !== grant.requestHash) {
        this.#leave(grant, giveUp(grant, 'The role changed.'));
        this.#judgeAnew(request);
        return;
      }
      if (!this.#isFresh(grant.principal)) {
        this.grants.save(grant, withTrouble(grant, 'Sign in again.'));
        throw new OamError('sign_in_again', 'Sign in again.');
      }
      const begun = startProvisioning(grant, this.#nowMs);
      grant = this.grants.save(grant, { ...begun, additionBegun: true });
    }
    if (fate === 'is refused') {
      this.grants.save(grant, { ...withTrouble(grant, 'Refused.'), additionBegun: !first });
    } else {
      this.#surroundings.write('add', placeOf(grant.membership), fate);
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
    this.#surroundings.write('remove', placeOf(grant.membership), fate);
    this.grants.save(grant, { ...unstick(grant), refusedRemovals: 0 });
    return true;
  }

  /** Reads the group and believes what it shows. */
  look(id: string): void {
    const grant = this.grants.read(id);
    const nowMs = this.#nowMs;
    const isThere = this.#surroundings.members.has(placeOf(grant.membership));
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
    if (grant.state !== 'active' || this.#nowMs >= endsAtMs) {
      throw new OamError('grant_not_active', 'This access is not active.');
    }
    const expiresAtMs = Math.min(endsAtMs, this.#nowMs + minutesToMs(15));
    const held = this.leases.find((lease) => lease.grantId === id);
    const lease =
      held === undefined
        ? issueLease({ id: this.#id('l'), grantId: id, expiresAtMs }, this.#nowMs)
        : renewLease(held, expiresAtMs, this.#nowMs);
    this.leases = [...this.leases.filter((each) => each !== held), lease];
    return lease;
  }

  proveAlive(id: string): DeskGrant {
    const grant = this.grants.read(id);
    return this.grants.save(grant, proveAlive(grant, this.#nowMs));
  }

  review(id: string, name: Name): DeskGrant {
    const grant = this.grants.read(id);
    const reviewer = this.#person(name);
    return this.grants.save(
      grant,
      reviewGrant(grant, { verdict: 'ok', reviewer, comment: 'Seen', atMs: this.#nowMs }),
    );
  }

  #submit(
    requester: Principal,
    role: Role,
    wish: Wish & Pick<AccessRequest, 'extension'>,
    lapsesByMs = Infinity,
  ): AccessRequest {
    if (requester.groups.kind === 'overflowed') throw new OamError('groups_overflowed', 'Too many groups.');
    const asked: AccessRequest = {
      ...wish,
      id: this.#id('r'),
      version: 1,
      state: 'pending',
      requester: { iss: requester.iss, sub: requester.sub },
      approvedMinutes: undefined,
      stages: wish.breakGlass ? [] : role.approval,
      approvals: [],
      hash: '',
      policyVersion: 'p',
      createdAtMs: this.#nowMs,
      lapsesAtMs: Math.min(lapsesByMs, this.#nowMs + minutesToMs(LAPSE_MINUTES)),
      grantId: undefined,
    };
    const request = { ...asked, hash: this.#hashNow(asked) };
    this.requests.insert(request);
    return this.#commit(request, this.#settle(request));
  }

  /** Stores what became of a request, and the grant with it. */
  #commit(request: AccessRequest, next: AccessRequest): AccessRequest {
    if (next === request) return request;
    this.requests.save(request, next);
    if (next.state !== 'approved' || next.grantId === undefined) return next;
    const seed = { id: next.grantId, requestId: next.id, minutes: windowMinutes(next) };
    if (next.extension !== undefined) {
      const grant = this.grants.read(next.extension.grantId);
      const { earlier, later } = handOver(grant, seed, this.#nowMs);
      this.grants.save(grant, earlier);
      this.grants.insert({ ...later, requestHash: next.hash });
      return next;
    }
    const { requester: principal, roleId, startsAtMs, breakGlass } = next;
    const runGraceMinutes = samePrincipal(principal, PEOPLE.run) ? RUN_GRACE_MINUTES : undefined;
    const review = reviewDue(breakGlass);
    this.grants.insert({
      ...scheduleGrant({ ...seed, principal, roleId, startsAtMs, runGraceMinutes, review }, this.#nowMs),
      membership: membershipOf(this.#role(roleId), principal),
      requestHash: next.hash,
      additionBegun: false,
      firstAbsentAtMs: undefined,
      refusedRemovals: 0,
    });
    return next;
  }

  #settle(request: AccessRequest): AccessRequest {
    return settle(request, {
      requesterFresh: this.#isFresh(request.requester),
      grantId: this.#id('g'),
      atMs: this.#nowMs,
    });
  }

  #atDecision(id: string, name: Name): { request: AccessRequest; approver: Principal } {
    this.#isLapsed(this.requests.read(id));
    if (this.#onNewGround(this.requests.read(id))) {
      throw new OamError('precondition_failed', 'It has changed meanwhile.');
    }
    return { request: this.requests.read(id), approver: this.#signedIn(name) };
  }

  #isLapsed(request: AccessRequest): boolean {
    const { extension } = request;
    const isBaseless =
      extension !== undefined && !isExtendable(this.grants.read(extension.grantId), this.#nowMs);
    const next = isBaseless ? lapseBaseless(request) : lapse(request, this.#nowMs);
    if (next !== request) this.requests.save(request, next);
    return next !== request;
  }

  #onNewGround(request: AccessRequest): boolean {
    return isOpen(request) && this.#hashNow(request) !== request.hash && this.#judgeAnew(request);
  }

  #judgeAnew(request: AccessRequest): boolean {
    if (this.#factsOf(request.requester)?.groups.kind !== 'listed') return false;
    const reopened = reopen(request, {
      hash: this.#hashNow(request),
      policyVersion: 'p',
      stages: request.breakGlass ? [] : this.#role(request.roleId).approval,
    });
    this.requests.save(request, reopened);
    this.#commit(reopened, this.#settle(reopened));
    return true;
  }

  #leave(grant: DeskGrant, next: DeskGrant): DeskGrant {
    const chain = this.#chainOf(grant);
    this.leases = this.leases.map((lease) =>
      chain.has(lease.grantId) ? endWithGrant(lease, 'right', this.#nowMs) : lease,
    );
    return this.grants.save(grant, next);
  }

  #lastTokenEndsAtMs(grant: DeskGrant): EpochMs | undefined {
    const chain = this.#chainOf(grant);
    const ends = this.leases
      .filter(({ grantId, expiresAtMs }) => chain.has(grantId) && expiresAtMs > this.#nowMs)
      .map(({ expiresAtMs }) => expiresAtMs);
    return ends.length === 0 ? undefined : Math.max(...ends);
  }

  #chainOf({ chainId }: DeskGrant): ReadonlySet<string> {
    return new Set(this.grants.all.filter((grant) => grant.chainId === chainId).map(({ id }) => id));
  }

  #hashNow(request: AccessRequest): string {
    return requestHash({
      requester: request.requester,
      role: this.#role(request.roleId),
      policyVersion: 'p',
      minutes: request.minutes,
      startsAtMs: request.startsAtMs,
      purpose: 'Because',
      ticket: undefined,
      codeContext: undefined,
      extendsGrantId: request.extension?.grantId,
      breakGlass: request.breakGlass,
      evidence: [],
    });
  }

  #learn(name: Name, groups: GroupFacts): void {
    const { iss, sub } = PEOPLE[name];
    const said = { userName: name, displayName: name, duty: undefined, seenAtMs: this.#nowMs };
    this.people.set(name, { iss, sub, groups, ...said });
  }

  #person(name: Name): Principal {
    const person = this.people.get(name);
    if (person === undefined) throw new TypeError(`Nobody is called ${name}.`);
    return person;
  }

  #signedIn(name: Name): Principal {
    const person = this.#person(name);
    if (areFactsFresh(person, this.#nowMs)) return person;
    throw new OamError('sign_in_again', 'Sign in again.');
  }

  #factsOf(key: Pick<Principal, 'iss' | 'sub'>): Principal | undefined {
    return [...this.people.values()].find((person) => samePrincipal(person, key));
  }

  #isFresh(key: Pick<Principal, 'iss' | 'sub'>): boolean {
    const person = this.#factsOf(key);
    return person !== undefined && areFactsFresh(person, this.#nowMs);
  }

  #role(id: string): Role {
    const role = this.roles.get(id);
    if (role === undefined) throw new TypeError(`There is no role ${id}.`);
    return role;
  }

  #id(kind: string): string {
    this.#ids += 1;
    return `${kind}${this.#ids}`;
  }
}
