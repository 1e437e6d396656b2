import assert from 'node:assert/strict';

import { endDelegation, listDelegates, nameDelegate } from '../../../src/cli/delegations/delegate.ts';
import type { CommonFlags } from '../../../src/cli/invocation.ts';
import type { DelegationView } from '../../../src/protocol/delegations.ts';
import { ANA, ANA_SESSION, LENA } from '../extension/views.ts';
import { fakeControlPlane, fakeInvocation, ok, page } from './fake-control-plane.ts';

const flags: CommonFlags = { keychain: false };

const VIEW: DelegationView = {
  id: 'd1',
  state: 'active',
  delegator: LENA,
  delegate: ANA,
  reason: 'On\nholiday',
  startsAt: '2027-01-15T12:00:00.000Z',
  endsAt: '2027-01-16T12:00:00.000Z',
  createdAt: '2027-01-15T12:00:00.000Z',
  revokedAt: null,
  revokedBy: null,
};

describe('oam delegate', () => {
  const connect = (script: Parameters<typeof fakeControlPlane>[0]) => {
    const { client, bodies } = fakeControlPlane(script);
    const { invocation, answers } = fakeInvocation();
    const connection = { client, signedIn: () => Promise.resolve(ANA_SESSION) };
    return { connection, invocation, answers, bodies };
  };

  it('names somebody from a start on, for as long as was said', async () => {
    const { connection, invocation, answers, bodies } = connect({
      'POST /delegations': [ok({ ...VIEW, state: 'scheduled' as const })],
    });
    const start = Date.parse('2027-01-15T12:00:00.000Z');
    const wish = { ...flags, reason: 'On holiday', for: 1_440, start };
    await nameDelegate('ana@example.com', wish, connection, invocation);
    assert.deepEqual(bodies, [
      {
        delegate: 'ana@example.com',
        reason: 'On holiday',
        startsAt: '2027-01-15T12:00:00.000Z',
        endsAt: '2027-01-16T12:00:00.000Z',
      },
    ]);
    assert.match(answers.join('\n'), /^Decides: Ana for Lena from .* until .* \(delegation d1\)\.$/);
  });

  it('lists them on one line each, and says when there are none', async () => {
    const { connection, invocation, answers } = connect({
      'GET /delegations': [page(VIEW), page()],
    });
    await listDelegates({ ...flags, held: true }, connection, invocation);
    assert.match(answers[1] ?? '', /^d1 +active +Ana +Lena .*On holiday/);
    await listDelegates({ ...flags, held: true }, connection, invocation);
    assert.equal(answers.at(-1), 'Nobody named you.');
  });

  it('ends one', async () => {
    const { connection, invocation, answers } = connect({
      'DELETE /delegations/d1': [ok({ ...VIEW, state: 'revoked' as const })],
    });
    await endDelegation('d1', flags, connection, invocation);
    assert.deepEqual(answers, ['Decides no more: Ana for Lena (delegation d1).']);
  });
});
