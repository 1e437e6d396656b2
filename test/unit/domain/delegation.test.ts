import assert from 'node:assert/strict';

import fc from 'fast-check';

import {
  type Delegation,
  DELEGATION_MAX_DAYS,
  delegationState,
  nameDelegate,
  revokeDelegation,
} from '../../../src/domain/delegation.ts';
import { hasCode, OamError } from '../../../src/domain/errors.ts';
import { type AccessRequest, approve, deny, speaksFor, standing } from '../../../src/domain/request.ts';
import { DAY_MS } from '../../../src/domain/time.ts';

const ISS = 'https://idp.example';
const key = (sub: string) => ({ iss: ISS, sub });
const WISH = {
  ...{ id: 'd', delegator: key('a'), delegate: key('b'), reason: 'Away' },
  ...{ startsAtMs: undefined, endsAtMs: DAY_MS },
};

const days = fc.double({ min: -40, max: 70, noNaN: true }).map((day) => Math.round(day * DAY_MS));

describe('a delegation', () => {
  it('begins now or within 30 days, and ends after it begins and 30 days after that at the latest', () => {
    const longestMs = DELEGATION_MAX_DAYS * DAY_MS;
    fc.assert(
      fc.property(fc.option(days, { nil: undefined }), days, (startsAtMs, endsAtMs) => {
        const start = startsAtMs ?? 0;
        const good = start >= 0 && start <= longestMs && endsAtMs > start && endsAtMs - start <= longestMs;
        let named: Delegation | undefined;
        try {
          named = nameDelegate({ ...WISH, startsAtMs, endsAtMs }, 0);
        } catch (error) {
          if (!(error instanceof OamError)) throw error;
        }
        assert.equal(named !== undefined, good);
        if (named === undefined) return;
        assert.equal(delegationState(named, start), 'active');
        if (start > 0) assert.equal(delegationState(named, start - 1), 'scheduled');
        assert.equal(delegationState(named, endsAtMs - 1), 'active');
        assert.equal(delegationState(named, endsAtMs), 'ended');
      }),
      {
        examples: [
          [0, longestMs],
          [longestMs, 2 * longestMs],
          [0, longestMs + 1],
          [longestMs + 1, longestMs + 2],
        ],
      },
    );
  });

  it('is to somebody else', () => {
    assert.throws(
      () => nameDelegate({ ...WISH, delegate: key('a') }, 0),
      (error) => hasCode(error, 'bad_request'),
    );
  });

  it('is revoked once, at once, and stays as it ended', () => {
    const named = nameDelegate(WISH, 0);
    const revoked = revokeDelegation(named, key('b'), 5);
    assert.deepEqual(revoked.revoked, { by: key('b'), atMs: 5 });
    assert.equal(delegationState(revoked, 5), 'revoked');
    assert.equal(revokeDelegation(revoked, key('a'), 6), revoked);
    assert.equal(revokeDelegation(named, key('a'), DAY_MS), named);
  });
});

const stages = [
  { approverGroups: ['leads'], quorum: 2 },
  { approverGroups: ['security'], quorum: 1 },
];

const pending: AccessRequest = {
  ...{ id: 'r1', version: 1, state: 'pending', requester: key('requester'), roleId: 'role', minutes: 60 },
  ...{ approvedMinutes: undefined, stages, approvals: [], hash: 'h', policyVersion: 'p', createdAtMs: 0 },
  ...{
    lapsesAtMs: 1_000,
    grantId: undefined,
    extension: undefined,
    startsAtMs: undefined,
    breakGlass: false,
  },
};

const person = (sub: string, ...names: string[]) => ({
  ...key(sub),
  groups: { kind: 'listed' as const, names },
  duty: undefined,
});

const people = [
  person('requester', 'leads', 'security'),
  person('lead-1', 'leads'),
  person('lead-2', 'leads'),
  person('guard', 'security', 'leads'),
  person('helper'),
];

const words = fc.array(
  fc.record({
    approver: fc.constantFrom(...people),
    delegator: fc.option(fc.constantFrom(...people), { nil: undefined }),
  }),
  { maxLength: 12 },
);

const give = (
  request: AccessRequest,
  {
    approver,
    delegator,
  }: { approver: (typeof people)[number]; delegator?: (typeof people)[number] | undefined },
) =>
  approve(request, {
    approver,
    delegation: delegator && { id: `to ${approver.sub}`, delegator },
    ...{ comment: undefined, atMs: 1, approvedMinutes: undefined, requesterFresh: true, grantId: 'g' },
  });

describe('words that are given for others', () => {
  it('count once for somebody and whoever spoke for them, are never about their own request, and need a stage that is for whose word it is', () => {
    fc.assert(
      fc.property(words, (given) => {
        let request = pending;
        for (const word of given) {
          try {
            request = give(request, word);
          } catch (error) {
            if (!(error instanceof OamError)) throw error;
          }
        }
        const voices = request.approvals.map(({ approver, delegation }) => [
          ...new Set([approver.sub, delegation?.delegator.sub ?? approver.sub]),
        ]);
        assert.equal(new Set(voices.flat()).size, voices.flat().length, 'somebody was heard twice');
        assert.ok(request.approvals.every((word) => !speaksFor(word, request.requester)));
        for (const { stage, approver, delegation } of request.approvals) {
          const whose = people.find(({ sub }) => sub === (delegation?.delegator ?? approver).sub);
          assert.ok(stages[stage]?.approverGroups.some((group) => whose?.groups.names.includes(group)));
        }
        if (request.state === 'approved') assert.ok(request.approvals.length >= 3);
        assert.equal(request.state === 'approved', standing(request).kind === 'complete');
      }),
      { numRuns: 2_000 },
    );
  });

  it('do not count where they came in twice all the same', () => {
    const word = (approver: string, delegator?: string) => ({
      ...{ stage: 0, approver: key(approver), verdict: 'approved' as const, requestHash: 'h' },
      ...(delegator !== undefined && { delegation: { id: 'd', delegator: key(delegator) } }),
      ...{ comment: undefined, atMs: 0 },
    });
    const waits = { kind: 'waiting', stage: 0 };
    const counted = (...approvals: ReturnType<typeof word>[]) => standing({ ...pending, approvals });
    assert.deepEqual(counted(word('lead-1'), word('helper', 'lead-1')), waits);
    assert.deepEqual(counted(word('helper', 'lead-1'), word('lead-1')), waits);
    assert.deepEqual(counted(word('helper', 'lead-1'), word('helper', 'lead-2')), waits);
    assert.deepEqual(counted(word('helper', 'requester'), word('lead-1')), waits);
    assert.deepEqual(counted(word('helper', 'lead-1'), word('lead-2')), { kind: 'waiting', stage: 1 });
  });

  it('deny for good, and are not for the request of either', () => {
    const [requester, lead, , , helper] = people;
    assert.ok(requester && lead && helper);
    const denial = { comment: 'no', atMs: 1, approver: helper };
    const denied = deny(pending, { ...denial, delegation: { id: 'd', delegator: lead } });
    assert.equal(denied.state, 'denied');
    assert.deepEqual(denied.approvals[0]?.delegation, { id: 'd', delegator: key('lead-1') });
    assert.throws(
      () => deny(pending, { ...denial, delegation: { id: 'd', delegator: requester } }),
      (error) => hasCode(error, 'own_request'),
    );
    assert.throws(
      () => deny(pending, { ...denial, approver: requester, delegation: { id: 'd', delegator: lead } }),
      (error) => hasCode(error, 'own_request'),
    );
    // What somebody may decide for others is no right of their own to hand on.
    assert.throws(
      () =>
        deny(pending, { ...denial, approver: person('third'), delegation: { id: 'd2', delegator: helper } }),
      (error) => hasCode(error, 'not_allowed'),
    );
  });
});
