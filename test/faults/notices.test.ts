import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import * as z from 'zod/mini';

import { startControlPlane } from '../../demo/stage/controlPlane.ts';
import { ROOT } from '../../demo/stage/folders.ts';
import { createControlPlaneClient } from '../../src/protocol/client.ts';
import { axiosTransport } from '../../src/protocol/transport.ts';
import { SEED, startSandboxDatabricks } from '../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  startIdentityProvider,
} from '../../src/sandbox/identity-provider/index.ts';
import { SECRET, startChat } from '../parts/control-plane/notices/chat.ts';

const ROLES = ['recsys-model-promote', 'recsys-deployer'];

const HOOK = '/hook';

const Told = z.object({ type: z.string(), data: z.object({ requestId: z.string() }) });

describe('notices of a control plane that is killed with kill -9', function () {
  this.timeout(300_000);

  it('all arrive, each by one id however often it is sent', async () => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(tmpdir(), 'oam-faults-'));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const chat = stack.use(await startChat());
    const identityProvider = await startIdentityProvider();
    stack.defer(() => identityProvider.close());
    const databricks = await startSandboxDatabricks({
      identityProvider: { issuer: identityProvider.issuer, audience: EDITOR_CLIENT_ID },
      people: Object.values(PEOPLE),
    });
    stack.defer(() => databricks.close());
    const controlPlane = await startControlPlane({
      folder,
      policyFolder: path.join(ROOT, 'demo/policy'),
      identity: {
        issuer: identityProvider.issuer,
        clientId: EDITOR_CLIENT_ID,
        audience: OAM_AUDIENCE,
        scopes: [...EDITOR_SCOPES],
      },
      databricks: { accountId: SEED.accountId, ...databricks.coreCredentials },
      workspaces: { prod: databricks.workspaces.prod.host, dev: databricks.workspaces.dev.host },
      notices: {
        section: {
          webhooks: [{ name: 'recsys', url: 'env:HOOK_URL', secret: 'env:HOOK_SECRET' }],
          teams: { recsys: ['recsys'] },
        },
        environment: { HOOK_URL: chat.origin + HOOK, HOOK_SECRET: SECRET },
      },
    });
    stack.defer(() => controlPlane.close());
    const { sub, userName, displayName, groups, duty } = PEOPLE.ana;
    const ana = createControlPlaneClient({
      baseUrl: controlPlane.url,
      accessToken: () =>
        identityProvider.mint({ sub, preferred_username: userName, name: displayName, groups, duty }),
      transport: axiosTransport(),
    });

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
