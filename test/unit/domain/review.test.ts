import assert from 'node:assert/strict';

import { OamError } from '../../../src/domain/errors.ts';
import { scheduleGrant } from '../../../src/domain/grant.ts';
import { type Finding, REVIEW_VERDICTS, reviewDue, reviewGrant } from '../../../src/domain/review.ts';

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

const code = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof OamError) return error.code;
    throw error;
  }
  return 'none';
};

describe('the review of an emergency access', () => {
  it('is given once, by somebody else, and moves nothing', () => {
    const grant = taken(true);
    for (const verdict of REVIEW_VERDICTS) {
      const reviewed = reviewGrant(grant, finding('lena', verdict));
      assert.deepEqual(reviewed, { ...grant, review: { state: 'reviewed', ...finding('lena', verdict) } });
      assert.equal(
        code(() => reviewGrant(reviewed, finding('max'))),
        'already_decided',
      );
    }
    assert.equal(
      code(() => reviewGrant(grant, finding('ana'))),
      'own_request',
    );
  });

  it('is not for what was approved beforehand', () => {
    assert.equal(
      code(() => reviewGrant(taken(false), finding('lena'))),
      'bad_request',
    );
  });
});
