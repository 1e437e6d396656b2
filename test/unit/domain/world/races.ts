import assert from 'node:assert/strict';

import { hasCode, OamError } from '../../../../src/domain/errors.ts';
import { handOver } from '../../../../src/domain/extension.ts';
import {
  activate,
  atDeadline,
  beginRevoking,
  confirmAbsent,
  giveUp,
  isFinal,
  isLive,
  markStuck,
  startProvisioning,
  unstick,
} from '../../../../src/domain/grant.ts';
import {
  type AccessRequest,
  approve,
  cancel,
  deny,
  isOpen,
  lapse,
  lapseBaseless,
  refuse,
  reopen,
  settle,
} from '../../../../src/domain/request.ts';
import { DAY_MS, type EpochMs } from '../../../../src/domain/time.ts';
import type { Desk } from './desk.ts';
import type { DeskGrant } from './records.ts';
import { Versioned } from './versioned.ts';

interface Decision<R> {
  readonly name: string;
  readonly on: (row: R) => R;
}

/** Whatever two people or clocks decide on what they read at the same moment, one of them is stored, in either order. */
export function expectOneWinner(desk: Desk, nowMs: EpochMs, tally: Map<string, number>): void {
  const requestDecisions = decisionsOnRequests(desk, nowMs);
  for (const request of desk.requests.all) {
    race(request, requestDecisions, tally);
    for (const winner of outcomes(request, requestDecisions)) {
      if (isOpen(winner)) continue;
      // A grant that was given up before its write sends its request back; nothing else comes after the end.
      const later = winner.state === 'approved' ? requestDecisions.filter(isNoReopening) : requestDecisions;
      assert.deepEqual(outcomes(winner, later), [], `${winner.state} was not the end`);
    }
  }
  const grantDecisions = decisionsOnGrants(nowMs);
  for (const grant of desk.grants.all) {
    race(grant, grantDecisions, tally);
    for (const winner of outcomes(grant, grantDecisions)) {
      const later = outcomes(winner, grantDecisions);
      if (isFinal(winner)) assert.deepEqual(later, [], `${winner.state} was not the end`);
      if (!isLive(winner))
        assert.ok(
          later.every((next) => !isLive(next)),
          'an end was taken back',
        );
    }
  }
}

function race<R extends { id: string; version: number; state: string }>(
  row: R,
  decisions: readonly Decision<R>[],
  tally: Map<string, number>,
): void {
  const results = outcomes(row, decisions);
  for (const [at, first] of results.entries()) {
    for (const second of results.filter((_, other) => other !== at)) {
      const store = new Versioned<R>();
      store.insert(row);
      store.save(row, first);
      assert.throws(
        () => store.save(row, second),
        (error) => hasCode(error, 'precondition_failed'),
      );
      assert.equal(store.read(row.id), first);
      tally.set('races', (tally.get('races') ?? 0) + 1);
    }
  }
}

/** What decisions make of a row; those that are refused or change nothing are left out. */
function outcomes<R>(row: R, decisions: readonly Decision<R>[]): R[] {
  return decisions.flatMap(({ on }) => {
    try {
      const next = on(row);
      return next === row ? [] : [next];
    } catch (error) {
      if (error instanceof OamError) return [];
      throw error;
    }
  });
}

const isNoReopening = ({ name }: Decision<AccessRequest>): boolean => name !== 'reopen';

function decisionsOnRequests(desk: Desk, nowMs: EpochMs): Decision<AccessRequest>[] {
  const people = [...desk.people.values()];
  const given = { comment: undefined, atMs: nowMs, approvedMinutes: undefined, grantId: 'won' };
  return [
    ...people.map((approver) => ({
      name: 'approve',
      on: (row: AccessRequest) => approve(row, { ...given, approver, requesterFresh: true }),
    })),
    ...people.map((approver) => ({
      name: 'deny',
      on: (row: AccessRequest) => deny(row, { approver, comment: 'No', atMs: nowMs }),
    })),
    { name: 'cancel', on: (row) => cancel(row, row.requester, nowMs) },
    { name: 'lapse', on: (row) => lapse(row, row.lapsesAtMs) },
    { name: 'lapseBaseless', on: (row) => lapseBaseless(row) },
    { name: 'settle', on: (row) => settle(row, { ...given, requesterFresh: true }) },
    { name: 'refuse', on: (row) => refuse(row) },
    {
      name: 'reopen',
      on: (row) =>
        reopen(row, { hash: 'new', policyVersion: 'p', stages: row.stages, lapsesAtMs: nowMs + DAY_MS }),
    },
  ];
}

function decisionsOnGrants(nowMs: EpochMs): Decision<DeskGrant>[] {
  return [
    { name: 'startProvisioning', on: (row) => startProvisioning(row, Math.max(nowMs, row.startsAtMs ?? 0)) },
    { name: 'activate', on: (row) => activate(row, nowMs, nowMs) },
    ...(['returned', 'revoked'] as const).map((reason) => ({
      name: reason,
      on: (row: DeskGrant) => beginRevoking(row, reason, undefined),
    })),
    { name: 'expire', on: (row) => atDeadline(row, row.deadlineAtMs, undefined) },
    { name: 'extend', on: (row) => handOver(row, { id: 'won', requestId: 'r', minutes: 1 }, nowMs).earlier },
    { name: 'giveUp', on: (row) => giveUp(row, 'In vain') },
    { name: 'stuck', on: (row) => (row.state === 'revoking' ? markStuck(row, 'Refused') : row) },
    { name: 'unstick', on: (row) => unstick(row) },
    {
      name: 'gone',
      on: (row) => confirmAbsent(row, { kind: 'absent', absentAtMs: nowMs, tokensKeepRight: false }),
    },
    { name: 'kept', on: (row) => confirmAbsent(row, { kind: 'kept', absentAtMs: undefined }) },
  ];
}
