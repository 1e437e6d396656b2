import assert from 'node:assert/strict';

import { meansRequest, openedRequest, requestLinkOf } from '../../../src/extension/approvals/request-link.ts';
import type { RequestView } from '../../../src/protocol/schemas.ts';
import { english } from './localise.ts';
import { ANA, aRequest, LENA } from './views.ts';

const ID = '5c1f9b52-6f0e-4a3b-9d7c-0a1b2c3d4e5f';
const NONCE = 'n'.repeat(43);
const at = (rest: string): URL => new URL(`vscode://databricks-ml-oam.databricks-ml-oam${rest}`);

describe('a link that opens a request', () => {
  it('names a request and carries one nonce', () => {
    assert.deepEqual(requestLinkOf(at(`/request/${ID}?nonce=${NONCE}`)), { id: ID, nonce: NONCE });
    assert.ok(!meansRequest(at('/callback?state=x')));
    assert.ok(!meansRequest(at('/requests')));
  });

  it('is refused where it is not whole', () => {
    for (const rest of [
      '/request',
      '/request/',
      `/request/${ID}`,
      `/request/${ID}?nonce=`,
      `/request/${ID}?nonce=${NONCE}x`,
      `/request/${ID}?nonce=${NONCE}&nonce=${NONCE}`,
      `/request/${ID}/approve?nonce=${NONCE}`,
      `/request/..%2f${ID}?nonce=${NONCE}`,
      `/request/not-an-id?nonce=${NONCE}`,
    ]) {
      assert.ok(meansRequest(at(rest)), rest);
      assert.equal(requestLinkOf(at(rest)), undefined, rest);
    }
  });

  const opened = (change: Partial<RequestView>, me = LENA, toApprove: { id: string }[] = []) =>
    openedRequest(english, aRequest(change), { me, toApprove });

  it('shows what waits for the person, and says how it stands where nothing does', () => {
    assert.deepEqual(opened({}, LENA, [{ id: 'q1' }]), { view: 'approvals', words: undefined });
    assert.deepEqual(opened({}, ANA), {
      view: 'access',
      words: 'This is your own request for Promote the ranker. Others decide on it.',
    });
    const approval = {
      stage: 0,
      approver: LENA,
      onBehalfOf: null,
      comment: null,
      at: '2026-01-01T00:00:00.000Z',
    };
    const words = (change: Partial<RequestView>): string | undefined => opened(change).words;
    assert.equal(words({}), 'Waits for others, not for you: Promote the ranker for Ana.');
    assert.equal(
      words({ state: 'approved', approvals: [{ ...approval, verdict: 'approved' }] }),
      'Already handled: Promote the ranker for Ana was approved by Lena.',
    );
    assert.equal(
      words({ state: 'approved', breakGlass: true }),
      'Taken in an emergency, without approval: Promote the ranker by Ana. Review it.',
    );
    assert.equal(words({ state: 'denied' }), 'Already handled: Promote the ranker for Ana was denied.');
    assert.equal(
      words({ state: 'cancelled' }),
      'No longer waits: Ana took the request for Promote the ranker back.',
    );
    assert.equal(
      words({ state: 'lapsed' }),
      'No longer waits: nobody answered the request for Promote the ranker of Ana in time.',
    );
  });
});
