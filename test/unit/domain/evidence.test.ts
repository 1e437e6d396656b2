import assert from 'node:assert/strict';

import {
  confirmedBy,
  type Evidence,
  evidenceSentence,
  isOtherEvidence,
  renewedEvidence,
  subjectOf,
} from '../../../src/domain/evidence.ts';

const yes: Evidence = {
  callback: 'tickets',
  verdict: 'confirmed',
  atMs: 10,
  goodUntilMs: 100,
  reason: undefined,
  evidenceId: 'e1',
  ticketTitle: 'The drop in clicks',
  ticketStatus: 'open',
};
const no: Evidence = { ...yes, verdict: 'refuted', reason: 'closed' };
const silence: Evidence = {
  callback: 'tickets',
  verdict: 'unanswered',
  reason: 'no answer in 3 s',
  atMs: 20,
  goodUntilMs: 20,
};

describe('evidence', () => {
  it('confirms while it counts, and only by a yes', () => {
    assert.deepEqual(confirmedBy([yes], 99), ['tickets']);
    assert.deepEqual(confirmedBy([yes], 100), []);
    assert.deepEqual(confirmedBy([no, silence], 0), []);
  });

  it('counts for longer where it is said again, in whatever words', () => {
    const again: Evidence = { ...yes, atMs: 60, goodUntilMs: 160, evidenceId: 'e2', reason: 'still so' };
    const renewed = renewedEvidence([yes], [again]);
    assert.deepEqual(renewed, [{ ...yes, goodUntilMs: 160 }]);
    assert.ok(!isOtherEvidence([yes], renewed));
  });

  it('keeps the last word of somebody who is silent, and takes any other word', () => {
    assert.deepEqual(renewedEvidence([yes], [silence]), [yes]);
    for (const [before, now] of [
      [yes, no],
      [no, yes],
      [silence, yes],
      [yes, { ...yes, ticketStatus: 'done' }],
    ] as const) {
      assert.deepEqual(renewedEvidence([before], [now]), [now]);
      assert.ok(isOtherEvidence([before], [now]));
    }
    assert.ok(isOtherEvidence([], [yes]));
    assert.ok(isOtherEvidence([yes], []));
  });

  it('is told in plain words', () => {
    assert.equal(
      evidenceSentence(yes, subjectOf('ML-123'), '10:02'),
      'The ticket ML-123 is confirmed by tickets at 10:02: “The drop in clicks”, status open.',
    );
    assert.equal(
      evidenceSentence(silence, subjectOf(undefined), undefined),
      'The purpose could not be confirmed by tickets: no answer in 3 s.',
    );
  });
});
