import assert from 'node:assert/strict';

import { type BlindRemoval, removeBlindly } from '../../../../src/control-plane/effects/blind-removals.ts';
import { createPace } from '../../../../src/control-plane/effects/pace.ts';
import { type UpcomingRemoval, withGiven } from '../../../../src/control-plane/effects/upcoming.ts';
import { createWorkspaces } from '../../../../src/control-plane/effects/workspaces.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { createRedactor } from '../../../../src/domain/redaction.ts';
import type { HttpRequest, HttpResponse } from '../../../../src/protocol/transport.ts';

const HOST = 'https://w.cloud.databricks.com';

const removalFrom = (groupId: string, changes: Partial<UpcomingRemoval> = {}): UpcomingRemoval => ({
  ...{ groupId, host: HOST, memberId: '7001', urgency: 0, dueAtMs: 0, grantIds: [`grant-${groupId}`] },
  ...changes,
});

describe('removals without the database', () => {
  const due = (count: number): BlindRemoval[] =>
    Array.from({ length: count }, (_, index) => ({
      ...{ removal: removalFrom(String(index)), writtenAtMs: undefined, absentAtMs: undefined },
      ...{ isInDoubt: false, isAlone: false, stage: 'waiting' },
    }));
  const play = async (all: readonly BlindRemoval[], onWrite: () => Promise<HttpResponse>) => {
    const pace = createPace(() => undefined);
    const answers = (request: HttpRequest): Promise<HttpResponse> => {
      const answer = (body: object) =>
        Promise.resolve({ status: 200, headers: {}, text: JSON.stringify(body) });
      if (request.url.includes('.well-known')) return answer({ token_endpoint: `${HOST}/oidc/v1/token` });
      if (request.url.endsWith('/oidc/v1/token')) {
        return answer({ access_token: 'a-token', token_type: 'Bearer', expires_in: 3_600 });
      }
      return request.method === 'PATCH' ? onWrite() : answer({ id: '1', displayName: 'oam-jit' });
    };
    await removeBlindly(
      {
        ...{ pace, logger: silentLogger, redactor: createRedactor() },
        workspaces: createWorkspaces({
          ...{ clientId: 'core', clientSecret: 'a-secret', redactor: createRedactor() },
          transport: answers,
        }),
      },
      all,
      () => 1_000,
      () => Promise.resolve(),
    );
    pace.stop();
  };
  const written: HttpResponse = { status: 204, headers: {}, text: '' };

  it('are begun for nothing that the store was told of meanwhile', async () => {
    const all = due(20);
    let writes = 0;
    await play(all, () => {
      writes += 1;
      for (const each of all) if (each.stage === 'waiting') each.stage = 'handed_over';
      return Promise.resolve(written);
    });
    assert.ok(writes < all.length, `${writes} writes`);
    assert.equal(all.filter(({ writtenAtMs }) => writtenAtMs !== undefined).length, writes);
  });

  it('are in doubt until they are answered: a refusal says that nothing was written', async () => {
    const [removal] = due(1);
    assert.ok(removal);
    const answers: HttpResponse[] = [
      { status: 503, headers: {}, text: '' },
      { status: 400, headers: {}, text: '{"error_code":"INVALID_PARAMETER_VALUE","message":"no"}' },
    ];
    const seen: boolean[] = [];
    for (const answer of answers) {
      await play([removal], () => Promise.resolve(answer));
      seen.push(removal.isInDoubt);
      removal.absentAtMs = undefined;
    }
    assert.deepEqual(seen, [true, false]);
  });
});

describe('what is to go', () => {
  it('stays as long as what was given since demands it, and goes when that ends', () => {
    const listed = [removalFrom('1', { dueAtMs: 10 }), removalFrom('2', { dueAtMs: 10 })];
    const given = [
      removalFrom('1', { dueAtMs: 50, grantIds: ['later'] }),
      removalFrom('3', { dueAtMs: 20 }),
      removalFrom('2', { dueAtMs: 5 }),
    ];
    assert.deepEqual(
      withGiven(listed, given).map(({ groupId, dueAtMs, grantIds }) => [groupId, dueAtMs, ...grantIds]),
      [
        ['1', 50, 'grant-1', 'later'],
        ['2', 10, 'grant-2'],
        ['3', 20, 'grant-3'],
      ],
    );
  });
});
