import assert from 'node:assert/strict';

import { scheduleGrant } from '../../../src/domain/grant.ts';
import { type Finding, REVIEW_VERDICTS, reviewDue, reviewGrant } from '../../../src/domain/review.ts';
import { refusalOf } from './refusal.ts';

const holder = { iss: 'i', sub: 'ana' };

const taken = (breakGlass: boolean) =>
  scheduleGrant(
    {
      ...{ id: 'g', requestId: 'r', principal: holder, roleId: 'role', minutes: 30 },
      ...{ startsAtMs: undefined, runGraceMinutes: undefined, review: reviewDue(breakGlass) },
    },
    0,
  );

const finding = (sub: string, verdict: Finding['verdict'] = 'ok'): Finding => ({
  ...{ verdict, reviewer: { iss: 'i', sub }, comment: 'Seen', atMs: 1 },
});

describe('the review of an emergency access', () => {
  it('is given once, by somebody else, and moves nothing', () => {
    const grant = taken(true);
    for (const verdict of REVIEW_VERDICTS) {
      const reviewed = reviewGrant(grant, finding('lena', verdict));
      assert.deepEqual(reviewed, { ...grant, review: { state: 'reviewed', ...finding('lena', verdict) } });
      assert.equal(
        refusalOf(() => reviewGrant(reviewed, finding('max'))),
        'already_decided',
      );
    }
    assert.equal(
      refusalOf(() => reviewGrant(grant, finding('ana'))),
      'own_request',
    );
  });

  it('is not for what was approved beforehand', () => {
    assert.equal(
      refusalOf(() => reviewGrant(taken(false), finding('lena'))),
      'bad_request',
    );
  });
});
