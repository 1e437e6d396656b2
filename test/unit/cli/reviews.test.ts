import assert from 'node:assert/strict';

import { review, reviews } from '../../../src/cli/commands/reviews.ts';
import type { CommonFlags } from '../../../src/cli/invocation.ts';
import { ANA_SESSION } from '../extension/views.ts';
import { fakeControlPlane, fakeInvocation, grantView, ok, page } from './fake-control-plane.ts';

const flags: CommonFlags = { keychain: false };

const PENDING = { state: 'pending', reviewer: null, comment: null, at: null } as const;

describe('oam reviews', () => {
  const connect = (script: Parameters<typeof fakeControlPlane>[0]) => {
    const { client, bodies } = fakeControlPlane(script);
    const { invocation, answers } = fakeInvocation();
    return {
      connection: { client, signedIn: () => Promise.resolve(ANA_SESSION) },
      invocation,
      answers,
      bodies,
    };
  };

  it('lists emergency access that waits for a review', async () => {
    const { connection, invocation, answers } = connect({
      'GET /grants': [page(grantView({ review: PENDING, purpose: 'The ranker is down' }))],
    });
    await reviews(flags, connection, invocation);
    assert.match(answers.join('\n'), /g1 .*active .*Ana .*ranker-query .*The ranker is down/);
  });

  it('says when there is none', async () => {
    const { connection, invocation, answers } = connect({ 'GET /grants': [page()] });
    await reviews(flags, connection, invocation);
    assert.deepEqual(answers, ['Nothing waits for your review.']);
  });

  it('gives one', async () => {
    const { connection, invocation, answers, bodies } = connect({
      'POST /grants/g1/review': [ok(grantView({ review: { ...PENDING, state: 'misuse' } }))],
    });
    const finding = { verdict: 'misuse', comment: 'No incident' } as const;
    await review('g1', { ...flags, ...finding }, connection, invocation);
    assert.deepEqual(bodies, [finding]);
    assert.deepEqual(answers, ['Reviewed as misuse: Query the ranker of Ana (grant g1).']);
  });
});
