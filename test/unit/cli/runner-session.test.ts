import assert from 'node:assert/strict';

import { startRunner } from '../../../src/cli/exec/runner-session.ts';
import { OamError } from '../../../src/domain/errors.ts';
import { MINUTE_MS } from '../../../src/domain/time.ts';
import type { HttpRequest } from '../../../src/protocol/transport.ts';
import { fakeInvocation, grantView, NOW } from './fake-control-plane.ts';

describe('oam exec: a runner session', () => {
  /** A control plane whose tokens live a quarter of an hour, and a clock that is put forward. */
  async function runner() {
    const state = { nowMs: NOW, isAway: false, tokens: 0 };
    const asked: string[] = [];
    const issue = () => {
      state.tokens += 1;
      return {
        ...{ id: 'n1', grantId: 'g1', host: 'https://ml-prod.cloud.databricks.com' },
        accessToken: `token-${state.tokens}`,
        expiresAt: new Date(state.nowMs + 15 * MINUTE_MS).toISOString(),
      };
    };
    const transport = ({ url, headers }: HttpRequest) => {
      if (state.isAway) return Promise.reject(new OamError('unreachable', 'Away.'));
      const path = new URL(url).pathname.replace('/api/v1/', '');
      asked.push(`${path} by ${headers?.['authorization'] ?? 'nobody'}`);
      const answer = path.startsWith('runner-tokens/') ? issue() : grantView();
      return Promise.resolve({ status: 200, headers: {}, text: JSON.stringify(answer) });
    };
    const { invocation } = fakeInvocation({ transport, clock: { nowMs: () => state.nowMs } });
    const { client } = await startRunner('https://oam.example.com', 'oamh_code', invocation);
    asked.length = 0;
    return { state, asked, look: () => client.call('getGrant', { params: { id: 'g1' } }) };
  }

  it('is renewed well before its token ends, once, and not before', async () => {
    const { state, asked, look } = await runner();
    state.nowMs += 6 * MINUTE_MS;
    await look();
    state.nowMs += 2 * MINUTE_MS;
    await Promise.all([look(), look()]);
    assert.deepEqual(asked, [
      'grants/g1 by Bearer token-1',
      'runner-tokens/renew by Bearer token-1',
      'grants/g1 by Bearer token-2',
      'grants/g1 by Bearer token-2',
    ]);
  });

  it('goes on with the token in hand while it cannot be renewed', async () => {
    const { state, asked, look } = await runner();
    state.nowMs += 10 * MINUTE_MS;
    state.isAway = true;
    await assert.rejects(look());
    state.isAway = false;
    await look();
    assert.deepEqual(asked, ['runner-tokens/renew by Bearer token-1', 'grants/g1 by Bearer token-2']);
  });

  it('is renewed by the last token that it had when its machine has slept through the end of it', async () => {
    const { state, asked, look } = await runner();
    state.nowMs += 9 * 60 * MINUTE_MS;
    await look();
    assert.deepEqual(asked, ['runner-tokens/renew by Bearer token-1', 'grants/g1 by Bearer token-2']);
  });
});
