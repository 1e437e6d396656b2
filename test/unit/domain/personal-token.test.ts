import assert from 'node:assert/strict';

import fc from 'fast-check';

import {
  beginToken,
  deletedToken,
  isOrphan,
  leaveToken,
  madeToken,
  missedToken,
  type PersonalToken,
  PERSONAL_TOKEN_STATES,
  readTokenComment,
  refusedToken,
  sawToken,
  tokenComment,
  tokenLifetimeSeconds,
} from '../../../src/domain/personal-token.ts';

const CONFIRM_MS = 15_000;

/** Longer than a call lasts: an answer, or the making itself, comes this late at most. */
const CALL_MAX_MS = 14_000;

const NAME = 'dbx-1';

/** What happens next: to Databricks, to the answer, or because somebody looks. */
const happening = fc.constantFrom('made', 'answered', 'refused', 'left', 'deleted', 'looked' as const);
const history = fc.array(fc.tuple(happening, fc.integer({ min: 0, max: 20_000 })), { maxLength: 40 });

interface Moment {
  readonly token: PersonalToken;
  readonly nowMs: number;
  readonly exists: boolean;
  /** True once nothing that was sent can still be carried out. */
  readonly isSettled: boolean;
}

/** Plays a history against a Databricks that makes one token at most, within the longest call after it was asked. */
function played(steps: readonly (readonly [string, number])[]): Moment[] {
  let nowMs = 0;
  let token = beginToken('t', 'l');
  let exists = false;
  let sent: 'waiting' | 'made' | 'refused' = 'waiting';
  const seen: Moment[] = [];
  for (const [what, passed] of steps) {
    nowMs += passed;
    if (sent === 'waiting' && nowMs > CALL_MAX_MS) sent = 'refused';
    switch (what) {
      case 'made':
        if (sent === 'waiting') [sent, exists] = ['made', true];
        break;
      case 'answered':
        if (sent === 'made') token = madeToken(token, NAME);
        break;
      case 'refused':
        if (sent !== 'made') [sent, token] = ['refused', refusedToken(token)];
        break;
      case 'left':
        token = leaveToken(token);
        break;
      case 'deleted':
        if (token.state !== 'leaving' || token.databricksId === undefined) break;
        exists = false;
        token = deletedToken(token, nowMs);
        break;
      case 'looked':
        token = exists ? sawToken(token, NAME) : missedToken(token, nowMs, CONFIRM_MS);
        break;
    }
    seen.push({ token, nowMs, exists, isSettled: sent !== 'waiting' });
  }
  return seen;
}

describe('a personal access token', () => {
  it('is never taken for gone while it exists, or can still come to exist', () => {
    fc.assert(
      fc.property(history, (steps) => {
        for (const { token, exists, isSettled, nowMs } of played(steps)) {
          assert.ok(PERSONAL_TOKEN_STATES.includes(token.state));
          if (token.state !== 'gone') continue;
          assert.ok(!exists, 'it exists');
          assert.ok(isSettled || nowMs > CALL_MAX_MS, 'it can still be made');
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('comes to an end, whatever happened before: once left it is found, deleted and seen to be gone', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const last = played([...steps, ['left', 0]]).at(-1);
        assert.ok(last);
        let { token, exists } = last;
        let nowMs = last.nowMs + CALL_MAX_MS;
        for (let pass = 0; pass < 5 && token.state !== 'gone'; pass++) {
          if (token.databricksId !== undefined) {
            exists = false;
            token = deletedToken(token, nowMs);
          }
          token = exists ? sawToken(token, NAME) : missedToken(token, nowMs, CONFIRM_MS);
          nowMs += CONFIRM_MS;
        }
        assert.equal(token.state, 'gone');
        assert.ok(!exists);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is handed out only where it was waited for, and never again once it was left', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const states = played(steps).map(({ token }) => token.state);
        const left = states.findIndex((state) => state === 'leaving' || state === 'gone');
        if (left >= 0)
          assert.ok(!states.slice(left).includes('live') && !states.slice(left).includes('making'));
      }),
    );
  });

  it('that is not deleted is not gone though a list does not show it: lists lag behind', () => {
    const left = leaveToken(madeToken(beginToken('t', 'l'), NAME));
    assert.equal(missedToken(left, 0, CONFIRM_MS), left);
    assert.equal(missedToken(deletedToken(left, 5), 6, CONFIRM_MS).state, 'gone');
  });

  it('that answers after it was taken for gone is deleted after all', () => {
    const gone: PersonalToken = { ...beginToken('t', 'l'), state: 'gone' };
    assert.deepEqual([madeToken(gone, NAME).state, madeToken(gone, NAME).databricksId], ['leaving', NAME]);
    assert.equal(sawToken(gone, NAME).state, 'leaving');
  });

  it('lives for whole seconds, and never past its latest end', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: -10_000, max: 1_000_000_000 }), (nowMs, leftMs) => {
        const seconds = tokenLifetimeSeconds(nowMs + leftMs, nowMs);
        if (seconds === undefined) assert.ok(leftMs < 1_000);
        else assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds * 1_000 <= leftMs);
      }),
    );
  });

  it('says in its comment whose it is, and nothing else reads as such a comment', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), fc.uuid(), fc.string(), (epoch, leaseId, tokenId, text) => {
        const mark = { epoch, leaseId, tokenId };
        assert.deepEqual(readTokenComment(tokenComment(mark)), mark);
        assert.equal(readTokenComment(text), undefined);
        assert.equal(readTokenComment(`${tokenComment(mark)}${text}x`), undefined);
      }),
    );
  });

  it("is an orphan only where this store's OAM made it and nothing that is known accounts for it", () => {
    const maker = { epoch: '00000000-0000-4000-8000-000000000001', principalId: '8005' };
    const other = '00000000-0000-4000-8000-000000000002';
    const mark = { leaseId: other, tokenId: other };
    const listed = { id: NAME, createdById: '8005', comment: tokenComment({ ...mark, epoch: maker.epoch }) };
    const known = { ...beginToken(other, other), databricksId: NAME };
    assert.ok(isOrphan(listed, maker, undefined));
    assert.ok(isOrphan(listed, maker, { ...known, state: 'gone' }));
    assert.ok(isOrphan(listed, maker, { ...known, state: 'live', databricksId: 'another' }));
    for (const state of ['making', 'live', 'leaving'] as const) {
      assert.ok(!isOrphan(listed, maker, { ...known, state }));
    }
    assert.ok(!isOrphan(listed, maker, beginToken(other, other)), 'it is being made just now');
    assert.ok(!isOrphan({ ...listed, createdById: '7001' }, maker, undefined));
    assert.ok(!isOrphan({ ...listed, createdById: undefined }, maker, undefined));
    assert.ok(!isOrphan({ ...listed, comment: tokenComment({ ...mark, epoch: other }) }, maker, undefined));
    assert.ok(!isOrphan({ ...listed, comment: 'oam' }, maker, undefined));
  });
});
