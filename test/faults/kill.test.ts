import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { type RunningControlPlane, startControlPlane } from '../../demo/stage/controlPlane.ts';
import { ROOT } from '../../demo/stage/folders.ts';
import { hasCode } from '../../src/domain/errors.ts';
import { type ControlPlaneClient, createControlPlaneClient } from '../../src/protocol/client.ts';
import type { GrantView, RequestView } from '../../src/protocol/schemas.ts';
import { axiosTransport } from '../../src/protocol/transport.ts';
import {
  type RunningSandboxDatabricks,
  SEED,
  startSandboxDatabricks,
} from '../../src/sandbox/databricks/index.ts';
import {
  EDITOR_CLIENT_ID,
  EDITOR_SCOPES,
  OAM_AUDIENCE,
  PEOPLE,
  type RunningIdentityProvider,
  startIdentityProvider,
} from '../../src/sandbox/identity-provider/index.ts';
import { randomFrom } from './crashes.ts';

/** Kills in the middle of asking, approving, provisioning and revoking. `OAM_KILLS` plays more. */
const KILLS = Number(process.env['OAM_KILLS'] ?? '8');

const LATEST_KILL_MS = 900;

const WAYS = [
  {
    who: 'ana',
    roleId: 'recsys-endpoint-query',
    group: SEED.jitGroups.endpointQuery.id,
    member: SEED.users.ana.id,
  },
  {
    who: 'ana',
    roleId: 'recsys-model-promote',
    group: SEED.jitGroups.modelPromote.id,
    member: SEED.users.ana.id,
  },
  {
    who: 'ana',
    roleId: 'recsys-deployer',
    group: SEED.jitGroups.deployer.id,
    member: SEED.servicePrincipals.recsysDeployer.id,
  },
] as const;

const EXPIRING = {
  roleId: 'platform-cluster-operator',
  group: SEED.jitGroups.clusterOperator.id,
  member: SEED.users.omar.id,
};

describe('a control plane that is killed with kill -9', function () {
  this.timeout(300_000);
  const seed = Number(process.env['OAM_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  let folder: string;
  let identityProvider: RunningIdentityProvider;
  let databricks: RunningSandboxDatabricks;
  let controlPlane: RunningControlPlane;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'oam-faults-'));
    identityProvider = await startIdentityProvider();
    databricks = await startSandboxDatabricks({
      identityProvider: { issuer: identityProvider.issuer, audience: EDITOR_CLIENT_ID },
      people: Object.values(PEOPLE),
    });
    databricks.tune({ membershipLagMs: 150 });
    controlPlane = await startControlPlane({
      folder,
      policyFolder: path.join(ROOT, 'demo/policy'),
      identity: {
        issuer: identityProvider.issuer,
        clientId: EDITOR_CLIENT_ID,
        audience: OAM_AUDIENCE,
        scopes: [...EDITOR_SCOPES],
      },
      databricks: { accountId: SEED.accountId, ...databricks.coreCredentials },
      workspaces: {
        prod: databricks.workspaces.prod.host,
        dev: databricks.workspaces.dev.host,
      },
      absenceConfirmMs: 300,
    });
  });
  after(async () => {
    await controlPlane.close();
    await databricks.close();
    await identityProvider.close();
    await rm(folder, { recursive: true, force: true });
  });

  const client = (who: keyof typeof PEOPLE): ControlPlaneClient => {
    const { sub, userName, displayName, groups, duty } = PEOPLE[who];
    return createControlPlaneClient({
      baseUrl: controlPlane.url,
      accessToken: () =>
        identityProvider.mint({ sub, preferred_username: userName, name: displayName, groups, duty }),
      transport: axiosTransport(),
    });
  };

  /** As a client does that got no answer: the same wish with the same key, until there is one. */
  const insist = async <T>(call: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (
          !['unreachable', 'timed_out', 'store_unavailable', 'internal'].some((code) => hasCode(error, code))
        ) {
          throw error;
        }
        await delay(100);
      }
    }
  };

  const killOnce = async (meanwhile?: () => Promise<void>): Promise<void> => {
    await delay(random() * LATEST_KILL_MS);
    await controlPlane.kill();
    await meanwhile?.();
    await controlPlane.restart();
  };

  const obtain = async (way: (typeof WAYS)[number], key: string): Promise<string> => {
    const asked = await insist<RequestView>(() =>
      client(way.who).call('createRequest', {
        body: { roleId: way.roleId, purpose: 'Survive', minutes: 60 },
        idempotencyKey: `ask ${way.roleId} ${key}`.replaceAll(' ', '-'),
      }),
    );
    if (asked.grantId !== null) return asked.grantId;
    const approved = await insist(() =>
      client('lena').call('approveRequest', {
        params: { id: asked.id },
        version: asked.version,
        body: {},
        idempotencyKey: `approve-${asked.id}`,
      }),
    );
    assert.ok(approved.grantId, approved.state);
    return approved.grantId;
  };

  const until = async (id: string, state: GrantView['state']): Promise<GrantView> => {
    const start = performance.now();
    for (;;) {
      const grant = await insist(() => client('aude').call('getGrant', { params: { id } }));
      if (grant.state === state) return grant;
      if (performance.now() - start > 30_000) {
        assert.fail(`seed ${seed}: the grant is ${grant.state}, not ${state}: ${grant.trouble ?? ''}`);
      }
      await delay(50);
    }
  };

  it('loses nothing, doubles nothing, and ends what ended while it was dead', async () => {
    const expiring = await insist(() =>
      client('omar').call('createRequest', {
        body: { roleId: EXPIRING.roleId, purpose: 'Expire', minutes: 1 },
        idempotencyKey: 'expiring',
      }),
    );
    assert.ok(expiring.grantId);
    const { endsAt } = await until(expiring.grantId, 'active');
    assert.ok(endsAt);

    const grants: string[] = [];
    let held: string[] = [];
    for (let round = 0; round < KILLS; round += 1) {
      const last = round === KILLS - 1;
      const killed = killOnce(
        last ? async () => delay(Math.max(0, Date.parse(endsAt) - Date.now() + 500)) : undefined,
      );
      if (round % 2 === 0) {
        held = await Promise.all(WAYS.map((way) => obtain(way, String(round))));
        await killed;
        await Promise.all(held.map((id) => until(id, 'active')));
        for (const way of WAYS) {
          assert.deepEqual(databricks.members(way.group), [way.member], `seed ${seed}, round ${round}`);
        }
        grants.push(...held);
      } else {
        await Promise.all(
          held.map((id) =>
            insist(() =>
              client('ana').call('returnGrant', { params: { id }, idempotencyKey: `return-${id}` }),
            ),
          ),
        );
        await killed;
        await Promise.all(held.map((id) => until(id, 'ended')));
        for (const way of WAYS) {
          assert.deepEqual(databricks.members(way.group), [], `seed ${seed}, round ${round}`);
        }
      }
    }

    const expired = await until(expiring.grantId, 'ended');
    assert.equal(expired.endReason, 'expired');
    assert.deepEqual(databricks.members(EXPIRING.group), []);

    const all = await client('ana').call('listGrants', { query: { limit: 200 } });
    assert.deepEqual(all.items.map((grant) => grant.id).sort(), [...grants].sort(), `seed ${seed}`);
    for (const id of [...grants, expiring.grantId]) {
      const { state } = await client('aude').call('getGrant', { params: { id } });
      await assertRecordedOnce(id, state === 'ended');
    }
    await assertChainHasNoGaps();
  });

  const assertRecordedOnce = async (grantId: string, over: boolean): Promise<void> => {
    const { items } = await client('aude').call('listAudit', { query: { grantId, limit: 200 } });
    const events = items.map((row) => row.event);
    for (const event of [
      'grant.scheduled',
      'grant.provisioning',
      'grant.active',
      'grant.revoking',
      'grant.ended',
    ]) {
      const expected = event === 'grant.revoking' || event === 'grant.ended' ? Number(over) : 1;
      const count = events.filter((candidate) => candidate === event).length;
      assert.equal(count, expected, `seed ${seed}: ${event} was recorded ${count} times`);
    }
  };

  const assertChainHasNoGaps = async (): Promise<void> => {
    await delay(1_500);
    const sequences: number[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await client('aude').call('listAudit', {
        query: { limit: 200, ...(typeof cursor === 'string' && { cursor }) },
      });
      for (const row of page.items) {
        if (row.sequence !== null) sequences.push(row.sequence);
      }
      cursor = page.nextCursor;
    } while (cursor !== null);
    sequences.sort((a, b) => a - b);
    assert.deepEqual(
      sequences,
      sequences.map((_, index) => index + 1),
    );
  };
});
