import assert from 'node:assert/strict';

import { watchGrant } from '../../../src/cli/exec/grant-watch.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { type FakeAnswer, fakeControlPlane, grantView, ok, problem } from './fake-control-plane.ts';

const settle = () => new Promise((resolve) => setTimeout(resolve, 1));

async function watched(...answers: FakeAnswer[]) {
  const { client, calls } = fakeControlPlane({ 'GET /grants/g1': answers });
  let over = 0;
  const watch = watchGrant({
    grantId: 'g1',
    client,
    everyMs: 1,
    onOver: () => {
      over += 1;
    },
  });
  while (calls.length < answers.length) await settle();
  for (let i = 0; i < 10; i += 1) await settle();
  watch[Symbol.dispose]();
  return { over, looks: calls.length };
}

describe('oam exec: the grant while the program runs', () => {
  for (const state of ['revoking', 'revoke_stuck', 'ended', 'failed'] as const) {
    it(`is over when it is ${state}, said once`, async () => {
      assert.deepEqual(await watched(ok(grantView()), ok(grantView({ state }))), { over: 1, looks: 2 });
    });
  }

  it('goes on with the grant that extends it, and is over with that one', async () => {
    const { client, calls } = fakeControlPlane({
      'GET /grants/g1': [
        ok(grantView()),
        ok(grantView({ state: 'ended', endReason: 'extended', successor: 'g2' })),
      ],
      'GET /grants/g2': [
        ok(grantView({ id: 'g2', extends: 'g1' })),
        ok(grantView({ id: 'g2', extends: 'g1', state: 'ended', endReason: 'expired' })),
      ],
    });
    let looksAtTheEnd = 0;
    const watch = watchGrant({
      grantId: 'g1',
      client,
      everyMs: 1,
      onOver: () => (looksAtTheEnd = calls.length),
    });
    while (looksAtTheEnd === 0) await settle();
    watch[Symbol.dispose]();
    assert.deepEqual(calls.slice(0, looksAtTheEnd), [
      'GET /grants/g1',
      ...['GET /grants/g1', 'GET /grants/g2'],
      ...['GET /grants/g1', 'GET /grants/g2'],
    ]);
  });

  it('is over when it is gone', async () => {
    assert.equal((await watched(problem('not_found'))).over, 1);
  });

  it('is not over because nobody answers, or because the session has trouble', async () => {
    const { over, looks } = await watched(
      new OamError('unreachable', 'Down.'),
      problem('session_expired'),
      problem('store_unavailable'),
      ok(grantView()),
    );
    assert.equal(over, 0);
    assert.ok(looks > 4);
  });

  it('is looked at no more after the program', async () => {
    const { client, calls } = fakeControlPlane({ 'GET /grants/g1': [ok(grantView())] });
    const watch = watchGrant({ grantId: 'g1', client, everyMs: 1, onOver: () => assert.fail() });
    while (calls.length === 0) await settle();
    watch[Symbol.dispose]();
    await settle();
    const { length } = calls;
    for (let i = 0; i < 10; i += 1) await settle();
    assert.equal(calls.length, length);
  });
});
