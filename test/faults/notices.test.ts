import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import * as z from 'zod/mini';

import { Cleanup } from '../../demo/stage/cleanup.ts';
import { SECRET, startChat } from '../parts/control-plane/notices/chat.ts';
import { clientOf, setKillableStage } from './stage.ts';

const ROLES = ['recsys-model-promote', 'recsys-deployer'];

const HOOK = '/hook';

const Told = z.object({ type: z.string(), data: z.object({ requestId: z.string() }) });

describe('notices of a control plane that is killed with kill -9', function () {
  this.timeout(300_000);

  it('all arrive, each by one id however often it is sent', async () => {
    await using stack = new AsyncDisposableStack();
    const cleanup = new Cleanup();
    const chat = stack.use(await startChat());
    stack.defer(() => cleanup.run());
    const stage = await setKillableStage(cleanup, { name: 'faults' });
    const controlPlane = await stage.serve({
      notices: {
        section: {
          webhooks: [{ name: 'recsys', url: 'env:HOOK_URL', secret: 'env:HOOK_SECRET' }],
          teams: { recsys: ['recsys'] },
        },
        environment: { HOOK_URL: chat.origin + HOOK, HOOK_SECRET: SECRET },
      },
    });
    const ana = clientOf(stage.identityProvider, controlPlane, 'ana');

    // Taken, and killed before the answer; not answered, and killed; killed before it is sent at all.
    chat.answers(HOOK, 'hang', 'lost');
    const asked: string[] = [];
    for (const roleId of ROLES) {
      const body = { roleId, purpose: 'Survive', minutes: 60 };
      asked.push((await ana.call('createRequest', { body })).id);
      if (asked.length === 1) while (chat.came.length === 0) await delay(5);
      await controlPlane.kill();
      await controlPlane.restart();
    }
    const told = () => chat.taken(HOOK).map(({ body }) => Told.parse(JSON.parse(body)).data.requestId);
    while (!asked.every((id) => told().includes(id))) await delay(100);
    const ids = new Map<string, Set<unknown>>();
    for (const { body, headers } of chat.came) {
      const { requestId } = Told.parse(JSON.parse(body)).data;
      ids.set(requestId, (ids.get(requestId) ?? new Set()).add(headers['webhook-id']));
    }
    assert.deepEqual(
      [...ids].map(([id, { size }]) => [asked.includes(id), size]),
      asked.map(() => [true, 1]),
    );
    assert.ok(chat.came.length > asked.length, 'Nothing was sent twice.');
  });
});
