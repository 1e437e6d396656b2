import { OamError } from '../../../../src/domain/errors.ts';
import {
  expectExtendable,
  extensionMinutes,
  handOver,
  heldMinutesAtEnd,
  isExtendable,
} from '../../../../src/domain/extension.ts';
import { scheduleGrant } from '../../../../src/domain/grant.ts';
import { membershipOf } from '../../../../src/domain/membership.ts';
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
import { reviewDue } from '../../../../src/domain/review.ts';
import type { Role } from '../../../../src/domain/role.ts';
import { type EpochMs, minutesToMs } from '../../../../src/domain/time.ts';
import { type Name, PEOPLE, RUN_GRACE_MINUTES } from './company.ts';
import { Records } from './records.ts';

/** Unanswered requests lapse after so long, in minutes. */
export const LAPSE_MINUTES = 120;

/** What somebody asks for. */
export interface Wish {
  readonly roleId: string;
  readonly minutes: number;
  readonly startsAtMs: EpochMs | undefined;
  readonly breakGlass: boolean;
}

/** Where people ask for access, and others decide. */
export class RequestDesk extends Records {
  signIn(name: Name, groups: GroupFacts): void {
    this.learn(name, groups);
    const who = this.person(name);
    for (const request of this.requests.all) {
      if (request.state !== 'awaiting_requester' || !samePrincipal(request.requester, who)) continue;
      if (this.isLapsed(request) || groups.kind === 'overflowed' || this.#onNewGround(request)) continue;
      this.#commit(request, this.#settle(request));
    }
  }

  ask(name: Name, wish: Wish): AccessRequest {
    const requester = this.signedIn(name);
    return this.#submit(requester, this.role(wish.roleId), { ...wish, extension: undefined });
  }

  approve(id: string, name: Name, approvedMinutes: number | undefined): AccessRequest {
    const { request, approver } = this.#atDecision(id, name);
    const next = approve(request, {
      approver,
      approvedMinutes,
      comment: undefined,
      atMs: this.nowMs,
      requesterFresh: this.isFresh(request.requester),
      grantId: this.id('g'),
    });
    return this.#commit(request, next);
  }

  deny(id: string, name: Name): AccessRequest {
    const { request, approver } = this.#atDecision(id, name);
    return this.requests.save(request, deny(request, { approver, comment: 'No', atMs: this.nowMs }));
  }

  cancel(id: string, name: Name): AccessRequest {
    const request = this.requests.read(id);
    return this.requests.save(request, cancel(request, this.person(name), this.nowMs));
  }

  extend(id: string, name: Name, asked: number | undefined): AccessRequest {
    const caller = this.signedIn(name);
    const grant = expectExtendable(this.grants.read(id), this.nowMs);
    const role = this.role(grant.roleId);
    return this.#submit(
      caller,
      role,
      {
        roleId: role.id,
        minutes: extensionMinutes(grant, asked, role, this.nowMs),
        startsAtMs: undefined,
        breakGlass: false,
        extension: { grantId: id, heldMinutes: heldMinutesAtEnd(grant) },
      },
      grant.endsAtMs,
    );
  }

  protected isLapsed(request: AccessRequest): boolean {
    const { extension } = request;
    const isBaseless =
      extension !== undefined && !isExtendable(this.grants.read(extension.grantId), this.nowMs);
    const next = isBaseless ? lapseBaseless(request) : lapse(request, this.nowMs);
    if (next !== request) this.requests.save(request, next);
    return next !== request;
  }

  protected judgeAnew(request: AccessRequest): boolean {
    if (this.factsOf(request.requester)?.groups.kind !== 'listed') return false;
    const reopened = reopen(request, {
      hash: this.hashNow(request),
      policyVersion: 'p',
      stages: request.breakGlass ? [] : this.role(request.roleId).approval,
      lapsesAtMs: this.nowMs + minutesToMs(LAPSE_MINUTES),
    });
    this.requests.save(request, reopened);
    this.#commit(reopened, this.#settle(reopened));
    return true;
  }

  protected hashNow(request: AccessRequest): string {
    return requestHash({
      requester: request.requester,
      role: this.role(request.roleId),
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

  #submit(
    requester: Principal,
    role: Role,
    wish: Wish & Pick<AccessRequest, 'extension'>,
    lapsesByMs = Infinity,
  ): AccessRequest {
    if (requester.groups.kind === 'overflowed') throw new OamError('groups_overflowed', 'Too many groups.');
    const asked: AccessRequest = {
      ...wish,
      id: this.id('r'),
      version: 1,
      state: 'pending',
      requester: { iss: requester.iss, sub: requester.sub },
      approvedMinutes: undefined,
      stages: wish.breakGlass ? [] : role.approval,
      approvals: [],
      hash: '',
      policyVersion: 'p',
      createdAtMs: this.nowMs,
      lapsesAtMs: Math.min(lapsesByMs, this.nowMs + minutesToMs(LAPSE_MINUTES)),
      grantId: undefined,
    };
    const request = { ...asked, hash: this.hashNow(asked) };
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
      const { earlier, later } = handOver(grant, seed, this.nowMs);
      this.grants.save(grant, earlier);
      this.grants.insert({ ...later, requestHash: next.hash });
      return next;
    }
    const { requester: principal, roleId, startsAtMs, breakGlass } = next;
    const runGraceMinutes = samePrincipal(principal, PEOPLE.run) ? RUN_GRACE_MINUTES : undefined;
    const review = reviewDue(breakGlass);
    this.grants.insert({
      ...scheduleGrant({ ...seed, principal, roleId, startsAtMs, runGraceMinutes, review }, this.nowMs),
      membership: membershipOf(this.role(roleId), principal),
      requestHash: next.hash,
      additionBegun: false,
      firstAbsentAtMs: undefined,
      refusedRemovals: 0,
    });
    return next;
  }

  #settle(request: AccessRequest): AccessRequest {
    return settle(request, {
      requesterFresh: this.isFresh(request.requester),
      grantId: this.id('g'),
      atMs: this.nowMs,
    });
  }

  #atDecision(id: string, name: Name): { request: AccessRequest; approver: Principal } {
    this.isLapsed(this.requests.read(id));
    if (this.#onNewGround(this.requests.read(id))) {
      throw new OamError('precondition_failed', 'It has changed meanwhile.');
    }
    return { request: this.requests.read(id), approver: this.signedIn(name) };
  }

  #onNewGround(request: AccessRequest): boolean {
    return isOpen(request) && this.hashNow(request) !== request.hash && this.judgeAnew(request);
  }
}
