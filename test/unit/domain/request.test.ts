import assert from 'node:assert/strict';

import fc from 'fast-check';

import { hasCode, OamError } from '../../../src/domain/errors.ts';
import { REQUEST_STATES } from '../../../src/domain/lifecycle.ts';
import {
  type AccessRequest,
  approve,
  awaitedStage,
  cancel,
  deny,
  heldMinutes,
  isOpen,
  lapse,
  refuse,
  reopen,
  settle,
  standing,
  windowMinutes,
} from '../../../src/domain/request.ts';

const ISS = 'https://idp.example';
const REQUESTER = { iss: ISS, sub: 'requester' };

const pending: AccessRequest = {
  id: 'r1',
  version: 1,
  state: 'pending',
  requester: REQUESTER,
  roleId: 'role',
  minutes: 60,
  approvedMinutes: undefined,
  stages: [
    { approverGroups: ['leads'], quorum: 2 },
    { approverGroups: ['security'], quorum: 1 },
  ],
  approvals: [],
  hash: 'h1',
  policyVersion: 'p1',
  createdAtMs: 0,
  lapsesAtMs: 1_000,
  grantId: undefined,
  extension: undefined,
  startsAtMs: undefined,
  breakGlass: false,
};

const person = (sub: string, ...names: string[]) => ({
  iss: ISS,
  sub,
  groups: { kind: 'listed' as const, names },
  duty: undefined,
});

const people = [
  person('requester', 'leads', 'security'),
  person('lead-1', 'leads'),
  person('lead-2', 'leads'),
  person('lead-3', 'leads', 'security'),
  person('guard', 'security'),
  person('stranger', 'others'),
];

type Step = (request: AccessRequest, atMs: number) => AccessRequest;

const approver = fc.constantFrom(...people);

const approvalStep = fc
  .record({
    approver,
    fresh: fc.boolean(),
    minutes: fc.option(fc.integer({ min: 1, max: 90 }), { nil: undefined }),
  })
  .map(
    ({ approver: by, fresh, minutes }): Step =>
      (request, atMs) =>
        approve(request, {
          approver: by,
          comment: undefined,
          atMs,
          approvedMinutes: minutes,
          requesterFresh: fresh,
          grantId: 'g1',
        }),
  );

const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: approvalStep, weight: 6 },
  approver.map(
    (by): Step =>
      (request, atMs) =>
        deny(request, { approver: by, comment: 'no', atMs }),
  ),
  approver.map(
    (by): Step =>
      (request, atMs) =>
        cancel(request, by, atMs),
  ),
  fc.constant<Step>((request, atMs) => lapse(request, atMs)),
  fc.constant<Step>((request) => refuse(request)),
  fc.boolean().map(
    (fresh): Step =>
      (request, atMs) =>
        settle(request, { requesterFresh: fresh, grantId: 'g2', atMs }),
  ),
  fc.constant<Step>((request, atMs) =>
    reopen(request, {
      ...{ hash: `${request.hash}'`, policyVersion: 'p2', stages: request.stages, lapsesAtMs: atMs + 1_000 },
    }),
  ),
);

/** Plays steps in order; a refused step changes nothing. Gives every request that came to be. */
function play(steps: readonly Step[]): AccessRequest[] {
  const seen = [pending];
  let request = pending;
  for (const [index, apply] of steps.entries()) {
    try {
      request = apply(request, index * 100);
    } catch (error) {
      if (!(error instanceof OamError)) throw error;
    }
    seen.push(request);
  }
  return seen;
}

const plays = fc.array(step, { maxLength: 25 }).map(play);

describe('a request, whatever befalls it', () => {
  it('goes up by exactly one version with every change and stays itself otherwise', () => {
    fc.assert(
      fc.property(plays, (requests) => {
        for (const [index, request] of requests.entries()) {
          const previous = requests[index - 1] ?? pending;
          if (request === previous) continue;
          assert.equal(request.version, previous.version + 1);
          assert.ok(REQUEST_STATES.includes(request.state));
        }
      }),
    );
  });

  it('has a grant exactly when it is approved, and then every quorum was reached by others', () => {
    fc.assert(
      fc.property(plays, (requests) => {
        for (const request of requests) {
          assert.equal(request.grantId !== undefined, request.state === 'approved');
          if (request.state !== 'approved') continue;
          const words = request.approvals.filter((word) => word.requestHash === request.hash);
          assert.ok(words.every((word) => word.approver.sub !== 'requester' && word.verdict === 'approved'));
          for (const [index, stage] of request.stages.entries()) {
            const voters = new Set(
              words.filter((word) => word.stage === index).map((word) => word.approver.sub),
            );
            assert.ok(voters.size >= stage.quorum);
          }
          assert.equal(new Set(words.map((word) => word.approver.sub)).size, words.length);
        }
      }),
    );
  });

  it('never leaves a denial, a cancellation or a lapse again', () => {
    fc.assert(
      fc.property(plays, (requests) => {
        const final = requests.findIndex((request) =>
          ['denied', 'cancelled', 'lapsed'].includes(request.state),
        );
        if (final < 0) return;
        assert.ok(requests.slice(final).every((request) => request === requests[final]));
      }),
    );
  });

  it('is decided before its time is over, or lapses', () => {
    fc.assert(
      fc.property(plays, (requests) => {
        for (const [index, request] of requests.entries()) {
          const previous = requests[index - 1] ?? pending;
          // Step n is taken at 100 × (n - 1).
          const atMs = (index - 1) * 100;
          if (request.state === previous.state || atMs < previous.lapsesAtMs) continue;
          // What was approved is no wish that waits: judged anew it has its time again.
          if (previous.state === 'approved') continue;
          assert.ok(!['approved', 'cancelled', 'awaiting_requester'].includes(request.state), request.state);
          const words = request.approvals.filter((word) => word.atMs >= previous.lapsesAtMs);
          assert.deepEqual(words, []);
        }
      }),
    );
  });

  it('is never granted for longer than was asked for', () => {
    fc.assert(
      fc.property(plays, (requests) => {
        for (const request of requests) assert.ok(windowMinutes(request) <= request.minutes);
      }),
    );
  });

  it('waits for a stage exactly while it is pending', () => {
    fc.assert(
      fc.property(plays, (requests) => {
        for (const request of requests) {
          assert.equal(awaitedStage(request) !== undefined, request.state === 'pending');
        }
      }),
    );
  });
});

describe('the count of words', () => {
  const verdicts = fc.array(
    fc.record({
      stage: fc.integer({ min: 0, max: 1 }),
      approver: fc.constantFrom('requester', 'a', 'b', 'c', 'd').map((sub) => ({ iss: ISS, sub })),
      verdict: fc.constantFrom('approved' as const, 'denied' as const),
      requestHash: fc.constantFrom('h1', 'old'),
      comment: fc.constant(undefined),
      atMs: fc.nat(),
    }),
    { maxLength: 12 },
  );

  it('is denied by one valid denial, in whatever order the words came', () => {
    fc.assert(
      fc.property(verdicts, fc.infiniteStream(fc.nat()), (approvals, random) => {
        const shuffled = [...approvals].sort(() => ((random.next().value ?? 0) % 2 === 0 ? 1 : -1));
        const denied = approvals.some(
          (word) =>
            word.verdict === 'denied' && word.requestHash === 'h1' && word.approver.sub !== 'requester',
        );
        assert.equal(standing({ ...pending, approvals: shuffled }).kind === 'denied', denied);
      }),
    );
  });
});

describe('a request', () => {
  const context = {
    comment: undefined,
    atMs: 1,
    approvedMinutes: undefined,
    requesterFresh: true,
    grantId: 'g',
  };

  it('is refused to its own requester, to strangers and to a second word of one approver', () => {
    const code = (of: string) => (error: unknown) => hasCode(error, of);
    const [requester, lead1, , lead3, , stranger] = people;
    assert.ok(requester && lead1 && lead3 && stranger);
    assert.throws(() => approve(pending, { ...context, approver: requester }), code('own_request'));
    assert.throws(() => deny(pending, { ...context, approver: requester }), code('own_request'));
    assert.throws(() => approve(pending, { ...context, approver: stranger }), code('not_allowed'));
    const once = approve(pending, { ...context, approver: lead1 });
    assert.throws(() => approve(once, { ...context, approver: lead1 }), code('already_decided'));
    const twice = approve(once, { ...context, approver: lead3 });
    assert.throws(() => approve(twice, { ...context, approver: lead3 }), code('already_decided'));
  });

  it('is neither approved nor refused by an approver whose groups overflowed', () => {
    assert.throws(
      () =>
        approve(pending, {
          ...context,
          approver: { iss: ISS, sub: 'x', groups: { kind: 'overflowed' }, duty: undefined },
        }),
      (error) => hasCode(error, 'groups_overflowed'),
    );
  });

  it('waits for its requester where the facts are old, and is approved when they return', () => {
    const one = { ...pending, stages: [{ approverGroups: ['leads'], quorum: 1 }] };
    const waiting = approve(one, { ...context, approver: person('lead', 'leads'), requesterFresh: false });
    assert.equal(waiting.state, 'awaiting_requester');
    assert.ok(isOpen(waiting));
    const approved = settle(waiting, { requesterFresh: true, grantId: 'g', atMs: 2 });
    assert.deepEqual([approved.state, approved.grantId], ['approved', 'g']);
  });

  it('takes no word from the moment on at which it lapses', () => {
    const [, lead] = people;
    assert.ok(lead);
    const late = { ...context, approver: lead, atMs: 1_000 };
    const lapsed = (error: unknown) =>
      error instanceof OamError && error.code === 'already_decided' && error.detail === 'lapsed';
    assert.throws(() => approve(pending, late), lapsed);
    assert.throws(() => deny(pending, late), lapsed);
    assert.throws(() => cancel(pending, REQUESTER, 1_000), lapsed);
    assert.equal(approve(pending, { ...late, atMs: 999 }).approvals.length, 1);
    const ready = { ...pending, stages: [] };
    assert.equal(settle(ready, { requesterFresh: true, grantId: 'g', atMs: 1_000 }), ready);
  });

  it('lapses at its time and not a millisecond before', () => {
    assert.equal(lapse(pending, 999), pending);
    assert.equal(lapse(pending, 1_000).state, 'lapsed');
  });

  it('has its time again where it was approved and is judged anew, and no more where it waits still', () => {
    const ground = { hash: 'h2', policyVersion: 'p2', stages: pending.stages, lapsesAtMs: 9_000 };
    const approved = { ...pending, state: 'approved' as const, grantId: 'g' };
    assert.equal(reopen(approved, ground).lapsesAtMs, 9_000);
    assert.equal(reopen(pending, ground).lapsesAtMs, 1_000);
  });
});

describe('the time for which a role would be held in a row', () => {
  const minutes = fc.integer({ min: 1, max: 100_000 });

  it('is the window that is asked for, and all before it where that follows without a gap', () => {
    fc.assert(
      fc.property(minutes, fc.array(minutes, { maxLength: 8 }), (first, extensions) => {
        let held = heldMinutes({ minutes: first, extension: undefined });
        assert.equal(held, first);
        for (const more of extensions) {
          const before = held;
          held = heldMinutes({ minutes: more, extension: { grantId: 'g', heldMinutes: before } });
          assert.ok(held > before && held > more);
        }
        // Many small steps count as the one long window that they make.
        const whole = [first, ...extensions].reduce((sum, each) => sum + each);
        assert.equal(held, heldMinutes({ minutes: whole, extension: undefined }));
      }),
    );
  });
});
