import assert from 'node:assert/strict';

import { UsageError } from '../../../src/cli/failure.ts';
import { hasCode } from '../../../src/domain/errors.ts';
import { RETURN, scene } from './access-scene.ts';
import { grantView, ok, page, problem, requestView, ROLE } from './fake-control-plane.ts';

describe("oam exec: a role's access", () => {
  it('asks for the role with its usual window, waits until it is active, and returns it at the end', async () => {
    const { obtain, calls, bodies, notes } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [ok(grantView({ state: 'provisioning', endsAt: null })), ok(grantView())],
      [RETURN]: [ok(grantView({ state: 'revoking' }))],
    });
    const access = await obtain();
    assert.equal(access.grant.state, 'active');
    assert.deepEqual(bodies[calls.indexOf('POST /requests')], {
      roleId: 'ranker-query',
      purpose: 'A check',
      minutes: 45,
    });
    assert.ok(!calls.includes(RETURN));
    await access.release();
    assert.equal(calls.filter((call) => call === RETURN).length, 1);
    assert.match(notes.join('\n'), /Returned Query the ranker/);
  });

  it('waits for approval', async () => {
    const { obtain, notes } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView({ state: 'pending', grantId: null }))],
      'GET /requests/r1': [
        ok(requestView({ state: 'pending', grantId: null })),
        ok(requestView({ state: 'awaiting_requester', grantId: null })),
        ok(requestView({ state: 'approved', grantId: null })),
        ok(requestView()),
      ],
      'GET /grants/g1': [ok(grantView())],
    });
    assert.equal((await obtain()).grant.id, 'g1');
    assert.match(notes[0] ?? '', /waiting for approval/);
  });

  it('uses a grant that is there already, and leaves it there', async () => {
    const { obtain, calls } = scene({
      'GET /grants': [page(grantView())],
      'GET /grants/g1': [ok(grantView())],
    });
    const access = await obtain({ purpose: undefined });
    await access.release();
    assert.ok(!calls.some((call) => call.startsWith('POST')));
  });

  it('leaves what it asked for to other programs that work with it, and returns what they asked for as the last one', async () => {
    const asking = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [ok(grantView())],
    });
    const asked = await asking.obtain();
    asking.others.work = true;
    await asked.release();
    assert.ok(!asking.calls.includes(RETURN));
    assert.match(asking.notes.at(-1) ?? '', /Query the ranker stays: other programs of yours work with it/);

    const joining = scene({
      'GET /grants': [page(grantView())],
      'GET /grants/g1': [ok(grantView())],
      [RETURN]: [ok(grantView({ state: 'revoking' }))],
    });
    const joined = await joining.obtain();
    joining.others.asked = true;
    await joined.release();
    assert.ok(joining.calls.includes(RETURN));
  });

  it('uses the grant where another program asked for the role in the same moment', async () => {
    const { obtain, calls } = scene({
      'GET /grants': [page(), page(grantView({ state: 'provisioning', endsAt: null }))],
      'POST /requests': [problem('already_held')],
      'GET /grants/g1': [ok(grantView())],
    });
    const access = await obtain();
    assert.equal(access.grant.id, 'g1');
    await access.release();
    assert.ok(!calls.includes(RETURN));
  });

  it('waits for the request that another program of the person has sent already, and leaves it alone', async () => {
    const mine = requestView({ state: 'pending', grantId: null });
    const { obtain, calls, notes } = scene({
      'GET /grants': [page()],
      'POST /requests': [problem('already_requested')],
      'GET /requests': [
        page(
          requestView({ id: 'r8', state: 'denied' }),
          requestView({ id: 'r9', state: 'pending', extends: 'g0' }),
          mine,
        ),
      ],
      'GET /requests/r1': [ok(mine), ok(requestView())],
      'GET /grants/g1': [ok(grantView())],
    });
    const access = await obtain();
    assert.equal(access.grant.id, 'g1');
    assert.match(notes[0] ?? '', /request r1\); waiting for approval/);
    await access.release();
    assert.ok(!calls.some((call) => call.endsWith('/cancel') || call === RETURN));
  });

  it('asks for its own where another program returned the grant that it was about to use', async () => {
    const { obtain, calls } = scene({
      'GET /grants': [page(grantView({ id: 'g0' })), page()],
      'GET /grants/g0': [ok(grantView({ id: 'g0', state: 'revoking', endReason: 'returned' }))],
      'POST /requests': [ok(requestView())],
      'GET /grants/g1': [ok(grantView())],
    });
    assert.equal((await obtain()).grant.id, 'g1');
    assert.equal(calls.filter((call) => call === 'POST /requests').length, 1);
  });

  it('asks for nothing where somebody took away the grant that it was about to use', async () => {
    const { obtain, calls } = scene({
      'GET /grants': [page(grantView({ id: 'g0' }))],
      'GET /grants/g0': [ok(grantView({ id: 'g0', state: 'revoking', endReason: 'revoked' }))],
    });
    await assert.rejects(obtain(), (error) => hasCode(error, 'grant_ended'));
    assert.ok(!calls.includes('POST /requests'));
  });

  it('looks for a present grant on every page', async () => {
    const { obtain, calls } = scene({
      'GET /grants': [
        ok({ items: [grantView({ id: 'g0', role: { ...grantView().role, id: 'other' } })], nextCursor: 'c' }),
        page(grantView()),
      ],
      'GET /grants/g1': [ok(grantView())],
    });
    await obtain();
    assert.ok(!calls.includes('POST /requests'));
  });

  it('starts nothing when the present grant ends too early', async () => {
    const { obtain, calls } = scene({
      'GET /grants': [page(grantView())],
      'GET /grants/g1': [ok(grantView())],
    });
    await assert.rejects(obtain({ minutes: 600 }), (error) => hasCode(error, 'grant_too_short'));
    assert.ok(!calls.includes(RETURN));
  });

  it("asks for nothing and waits for nothing where the role's kind of credential cannot last", async () => {
    const listed = { ...ROLE, credential: 'assume' as const };
    const asking = scene({ 'GET /grants': [page()], 'GET /roles': [ok({ items: [listed] })] });
    await assert.rejects(asking.obtain(), (error) => hasCode(error, 'session_too_short'));
    const grant = grantView({ role: { ...grantView().role, credential: 'assume' } });
    const holding = scene({ 'GET /grants': [page(grant)] });
    await assert.rejects(holding.obtain(), (error) => hasCode(error, 'session_too_short'));
    assert.deepEqual(
      [asking, holding].map(({ calls, kinds }) => [calls, kinds]),
      [
        [['GET /grants', 'GET /roles'], ['assume']],
        [['GET /grants'], ['assume']],
      ],
    );
  });

  it('takes no ending grant for a present one', async () => {
    for (const state of ['revoking', 'revoke_stuck', 'ended', 'failed'] as const) {
      const { obtain, calls } = scene({
        'GET /grants': [page(grantView({ state }))],
        'POST /requests': [ok(requestView({ grantId: 'g2' }))],
        'GET /grants/g2': [ok(grantView({ id: 'g2' }))],
      });
      assert.equal((await obtain()).grant.id, 'g2');
      assert.ok(calls.includes('POST /requests'));
    }
  });

  it('asks for nothing without a purpose', async () => {
    const { obtain, calls } = scene({ 'GET /grants': [page()] });
    await assert.rejects(obtain({ purpose: undefined }), UsageError);
    assert.ok(!calls.includes('POST /requests'));
  });

  it("passes the control plane's refusal on, also of a role that the list does not show", async () => {
    const { obtain } = scene({ 'GET /grants': [page()], 'POST /requests': [problem('unknown_role')] });
    await assert.rejects(obtain({ roleId: 'nosuch' }), (error) => hasCode(error, 'unknown_role'));
  });

  it('says who denied it and why', async () => {
    const approver = { iss: 'i', sub: 'lena', userName: 'lena', displayName: 'Lena' };
    const { obtain } = scene({
      'GET /grants': [page()],
      'POST /requests': [ok(requestView({ state: 'pending', grantId: null }))],
      'GET /requests/r1': [
        ok(
          requestView({
            state: 'denied',
            grantId: null,
            approvals: [
              {
                stage: 0,
                approver,
                onBehalfOf: null,
                verdict: 'denied',
                comment: 'Not tonight',
                at: '2027-01-15T12:00:00.000Z',
              },
            ],
          }),
        ),
      ],
      'POST /requests/r1/cancel': [problem('already_decided')],
    });
    await assert.rejects(obtain(), (error) => {
      assert.ok(hasCode(error, 'request_denied'));
      assert.equal(error.detail, 'Lena: Not tonight');
      return true;
    });
  });
});
