import assert from 'node:assert/strict';

import { CancelledError, hasCode, OamError } from '../../../src/domain/errors.ts';
import { RETURN, scene } from './access-scene.ts';
import { grantView, NOW, ok, page, problem, requestView } from './fake-control-plane.ts';

describe("oam exec: a role's access, where it is called off or in trouble", () => {
  it('takes an undecided request back when waiting is called off', async () => {
    const { obtain, calls } = scene(
      {
        'GET /grants': [page()],
        'POST /requests': [ok(requestView({ state: 'pending', grantId: null }))],
        'GET /requests/r1': [ok(requestView({ state: 'pending', grantId: null }))],
        'POST /requests/r1/cancel': [ok(requestView({ state: 'cancelled', grantId: null }))],
      },
      'GET /requests/r1',
    );
    await assert.rejects(obtain(), CancelledError);
    assert.equal(calls.at(-1), 'POST /requests/r1/cancel');
  });

  it('takes a request back that was being sent when Ctrl-C came', async () => {
    const { obtain, calls } = scene(
      {
        'GET /grants': [page()],
        'POST /requests': [ok(requestView({ state: 'pending', grantId: null }))],
        'POST /requests/r1/cancel': [ok(requestView({ state: 'cancelled', grantId: null }))],
      },
      'POST /requests',
    );
    await assert.rejects(obtain(), CancelledError);
    assert.equal(calls.at(-1), 'POST /requests/r1/cancel');
  });

  it('returns a grant that is on its way when waiting is called off', async () => {
    const { obtain, calls } = scene(
      {
        'GET /grants': [page()],
        'POST /requests': [ok(requestView())],
        'GET /grants/g1': [ok(grantView({ state: 'provisioning', endsAt: null }))],
        [RETURN]: [ok(grantView({ state: 'revoking' }))],
      },
      'GET /grants/g1',
    );
    await assert.rejects(obtain(), CancelledError);
    assert.equal(calls.at(-1), RETURN);
  });

  it('returns the grant when a request was approved in the moment of taking it back', async () => {
    const { obtain, calls } = scene(
      {
        'GET /grants': [page()],
        'POST /requests': [ok(requestView({ state: 'pending', grantId: null }))],
        'GET /requests/r1': [ok(requestView())],
        'POST /requests/r1/cancel': [problem('already_decided')],
        [RETURN]: [ok(grantView({ state: 'revoking' }))],
      },
      'POST /requests',
    );
    await assert.rejects(obtain(), CancelledError);
    assert.deepEqual(calls.slice(-3), ['POST /requests/r1/cancel', 'GET /requests/r1', RETURN]);
  });

  it('says what stands in the way once, and what failed at the end', async () => {
    const { obtain, notes } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [
        ok(grantView({ state: 'provisioning', trouble: 'Databricks is slow.' })),
        ok(grantView({ state: 'provisioning', trouble: 'Databricks is slow.' })),
        ok(grantView({ state: 'failed', trouble: 'The group is gone.' })),
      ],
      [RETURN]: [problem('grant_not_active')],
    });
    await assert.rejects(obtain(), (error) => hasCode(error, 'grant_failed'));
    assert.deepEqual(
      notes.filter((note) => note === 'Databricks is slow.'),
      ['Databricks is slow.'],
    );
  });

  it('goes on waiting while the control plane is away for minutes', async () => {
    const away = [new OamError('unreachable', 'Down.'), problem('audit_unavailable')];
    const { obtain, calls } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [...Array.from({ length: 100 }, () => away).flat(), ok(grantView())],
    });
    assert.equal((await obtain()).grant.state, 'active');
    assert.ok(!calls.includes(RETURN));
  });

  it('returns the access once a control plane that was away is back', async () => {
    const { obtain, notes } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [ok(grantView())],
      [RETURN]: [
        ...Array.from({ length: 40 }, () => new OamError('unreachable', 'Down.')),
        ok(grantView({ state: 'revoking' })),
      ],
    });
    await (await obtain()).release();
    assert.deepEqual(notes.slice(-2), [
      'Down. Trying for a minute to return the access.',
      'Returned Query the ranker.',
    ]);
  });

  it('does not try again what the next try cannot mend', async () => {
    const { obtain, calls, notes } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [ok(grantView())],
      [RETURN]: [new OamError('not_signed_in', 'You are not signed in.')],
    });
    await (await obtain()).release();
    assert.equal(calls.filter((call) => call === RETURN).length, 1);
    assert.match(notes.at(-1) ?? '', /could not be returned; .* oam return g1/);
  });

  it('tries for a minute to return, then says how to, and does not fail', async () => {
    const { obtain, calls, notes } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [ok(grantView())],
      [RETURN]: [new OamError('unreachable', 'Down.')],
    });
    await (await obtain()).release();
    assert.equal(calls.filter((call) => call === RETURN).length, 60);
    assert.match(notes.at(-1) ?? '', /oam return g1/);
  });

  it('tries no longer than a minute where nothing answers in time', async () => {
    const { obtain, calls, pace } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [ok(grantView())],
      [RETURN]: [new OamError('timed_out', 'It did not answer in time.')],
    });
    const access = await obtain();
    pace.answerMs = 15_000;
    await access.release();
    assert.equal(calls.filter((call) => call === RETURN).length, 4);
  });

  it('is quiet when the grant has ended by itself', async () => {
    const { obtain, notes } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [ok(grantView({ endsAt: new Date(NOW + 60_000).toISOString() }))],
      [RETURN]: [problem('grant_not_active')],
    });
    const access = await obtain();
    const before = notes.length;
    await access.release();
    assert.equal(notes.length, before);
  });
});
