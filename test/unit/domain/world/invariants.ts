import assert from 'node:assert/strict';

import { isDemanded } from '../../../../src/domain/membership.ts';
import { compareMembers } from '../../../../src/domain/reconciliation.ts';
import { awaitedStage, windowMinutes } from '../../../../src/domain/request.ts';
import { PEOPLE } from './company.ts';
import { type Desk, placeOf } from './desk.ts';
import type { Asked, Given, Ledger } from './ledger.ts';
import type { Surroundings } from './surroundings.ts';

/** All that must be so at any moment, whatever happened. */
export function expectInvariants(ledger: Ledger, desk: Desk, surroundings: Surroundings): void {
  assert.equal(desk.requests.all.length, ledger.asked.length);
  assert.equal(desk.grants.all.length, ledger.given.length);
  for (const asked of ledger.asked) expectRequest(ledger, desk, asked);
  for (const given of ledger.given) expectGrant(desk, given);
  expectUnion(ledger, desk, surroundings);
  expectChains(ledger);
  expectLeases(ledger, desk);
}

function expectRequest(ledger: Ledger, desk: Desk, asked: Asked): void {
  const request = desk.requests.read(asked.id);
  assert.equal(request.state, asked.state, asked.id);
  assert.equal(request.approvedMinutes, asked.approvedMinutes);
  assert.equal(request.grantId !== undefined, asked.state === 'approved');
  assert.ok(windowMinutes(request) <= asked.minutes, 'more than was asked for');
  const stage = asked.state === 'pending' ? ledger.waitingStage(asked) : undefined;
  assert.deepEqual(awaitedStage(request), stage === undefined ? undefined : asked.stages[stage]);
  const { iss, sub } = PEOPLE[asked.requester];
  for (const { approver } of request.approvals) {
    assert.ok(approver.iss !== iss || approver.sub !== sub, 'a word on their own request');
  }
  // In an emergency nobody is waited for, and only then.
  if (asked.breakGlass && ledger.nowMs < asked.lapsesAtMs) assert.notEqual(asked.state, 'pending');
}

function expectGrant(desk: Desk, given: Given): void {
  const grant = desk.grants.read(given.id);
  assert.deepEqual(
    {
      state: grant.state,
      endReason: grant.endReason,
      givenUp: grant.givenUp,
      deadlineAtMs: grant.deadlineAtMs,
      activatedAtMs: grant.activatedAtMs,
      endsAtMs: grant.endsAtMs,
      heldSinceMs: grant.heldSinceMs,
      membershipAbsentAtMs: grant.membershipAbsentAtMs,
      outlives: grant.outlives,
      chainId: grant.chainId,
      extendsId: grant.extendsId,
      successorId: grant.successorId,
      review: grant.review?.state,
      place: placeOf(grant.membership),
      additionBegun: grant.additionBegun,
    },
    {
      state: given.state,
      endReason: given.reason,
      givenUp: given.givenUp,
      deadlineAtMs: given.deadlineAtMs,
      activatedAtMs: given.activatedAtMs,
      endsAtMs: given.endsAtMs,
      heldSinceMs: given.heldSinceMs,
      membershipAbsentAtMs: given.absentAtMs,
      outlives: given.outlives,
      chainId: given.chain,
      extendsId: given.extends?.id,
      successorId: given.successor?.id,
      review: given.review && (given.review === 'due' ? 'pending' : 'reviewed'),
      place: given.place,
      additionBegun: given.begun,
    },
    given.id,
  );
  if (given.activatedAtMs === undefined) return;
  assert.ok(given.activatedAtMs >= (given.startsAtMs ?? 0), 'before its start');
  assert.notEqual(grant.membershipPresentAtMs, undefined, 'active, and no read showed it');
  assert.ok((given.endsAtMs ?? 0) - given.activatedAtMs <= (60 + 60) * 60_000);
  if (given.state === 'failed') assert.fail('it was active, and failed');
}

/** Effective access is the union of the live grants, in the groups as in the rules. */
function expectUnion(ledger: Ledger, desk: Desk, { members }: Surroundings): void {
  const grants = desk.grants.all;
  for (const { membership } of grants) {
    assert.equal(isDemanded(membership, grants), ledger.isDemanded(placeOf(membership)));
  }
  const placesIn = (...states: string[]) =>
    new Set(ledger.given.filter(({ state }) => states.includes(state)).map(({ place }) => place));
  const active = placesIn('active');
  const moving = placesIn('provisioning', 'revoking', 'revoke_stuck');
  const { lost, strangers } = compareMembers({ demanded: active, moving }, members);
  assert.deepEqual(strangers, [], 'somebody was left behind');
  for (const place of active) {
    const isLost = lost.includes(place) || moving.has(place);
    assert.ok(members.has(place) || isLost, `${place} is active, gone, and nobody is told`);
  }
}

/** An extension follows without a gap, and one grant of a chain lives. */
function expectChains(ledger: Ledger): void {
  for (const given of ledger.given) {
    const { successor } = given;
    if (successor === undefined) continue;
    assert.equal(given.state, 'ended');
    const followsAtMs = successor.activatedAtMs ?? Infinity;
    assert.ok((given.activatedAtMs ?? 0) <= followsAtMs && followsAtMs < (given.endsAtMs ?? 0), 'a gap');
    assert.ok((successor.endsAtMs ?? 0) > (given.endsAtMs ?? 0), 'it got no longer');
  }
  const live = ledger.given.filter((given) => ledger.isLive(given)).map(({ chain }) => chain);
  assert.equal(new Set(live).size, live.length, 'two of one chain live');
}

/** No credential is promised beyond its grant, and one whose grant is over says what it is. */
function expectLeases(ledger: Ledger, desk: Desk): void {
  for (const lease of desk.leases) {
    const given = ledger.given.find(({ id }) => id === lease.grantId);
    assert.ok(given !== undefined && lease.expiresAtMs <= (given.endsAtMs ?? 0));
    if (ledger.isLive(ledger.latest(given))) continue;
    assert.ok(!['issued', 'renewed'].includes(lease.status.state), 'it goes on as if nothing had ended');
    if (lease.status.state !== 'outlives') continue;
    const { untilMs } = lease.status.outliving;
    assert.equal(untilMs, lease.expiresAtMs);
    assert.ok((ledger.latest(given).outlives?.untilMs ?? 0) >= untilMs, 'the grant says less than its lease');
  }
}
