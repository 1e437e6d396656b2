import assert from 'node:assert/strict';

import { MINUTE_MS } from '../../../../src/domain/time.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { bearerOf, grantOf, refused, startWorld, type World } from '../world.ts';
import { granted } from './granted.ts';

describe('the credential of a federated role', function () {
  this.timeout(30_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const whoIs = async (accessToken: string): Promise<{ status: number; text: string }> =>
    fetch(`${world.databricks.workspaces.prod.host}/api/2.0/preview/scim/v2/Me`, {
      headers: { authorization: `Bearer ${accessToken}` },
    }).then(async (answer) => ({ status: answer.status, text: await answer.text() }));

  it('acts as the service principal, ends with the grant, and is kept nowhere', async () => {
    const request = await world.ask('ana', 'recsys-deployer', 10);
    const ana = world.client('ana');
    const approved = await world.client('lena').call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    const id = grantOf(approved);
    const active = await world.until(id, 'active');
    assert.deepEqual(world.databricks.members(SEED.jitGroups.deployer.id), [
      SEED.servicePrincipals.recsysDeployer.id,
    ]);

    const first = await ana.call('issueCredential', { params: { id }, idempotencyKey: 'lease' });
    assert.equal(first.host, world.databricks.workspaces.prod.host);
    assert.ok(first.expiresAt <= (active.endsAt ?? ''), 'the token outlives the grant');
    const me = await whoIs(bearerOf(first));
    assert.equal(me.status, 200);
    assert.match(me.text, new RegExp(SEED.servicePrincipals.recsysDeployer.applicationId));

    const again = await ana.call('issueCredential', { params: { id }, idempotencyKey: 'lease' });
    assert.equal(again.leaseId, first.leaseId);
    assert.notEqual(bearerOf(again), bearerOf(first));
    await refused(world.client('lena').call('issueCredential', { params: { id } }), 'not_allowed');
    await refused(world.client('omar').call('issueCredential', { params: { id } }), 'not_found');

    const { rows } = await world.store.db
      .selectFrom('idempotency')
      .select('key')
      .where('key', '=', 'lease')
      .execute()
      .then((found) => ({ rows: found }));
    assert.deepEqual(rows, [], 'an answer with a credential was stored');

    const returned = await ana.call('returnGrant', { params: { id } });
    assert.equal(returned.outlives?.what, 'right', 'the membership was not seen gone yet');
    await refused(ana.call('issueCredential', { params: { id } }), 'grant_not_active');
    const ended = await world.until(id, 'ended');
    const lastEnd = first.expiresAt > again.expiresAt ? first.expiresAt : again.expiresAt;
    assert.ok(ended.outlives, 'a token that still lives goes unmentioned');
    assert.equal(ended.outlives.what, 'tokenOnly');
    // The lease is what was committed to; Databricks counts the token's own life in whole seconds from its making.
    const laterMs = Date.parse(ended.outlives.until) - Date.parse(lastEnd);
    assert.ok(laterMs >= 0 && laterMs < 2_000, `${laterMs} ms`);
    assert.deepEqual(world.databricks.members(SEED.jitGroups.deployer.id), []);
  });

  it("lives for the role's tokenMinutes at most, and never longer than the grant", async () => {
    const { id, endsAt } = await granted(world, 'ana', 'recsys-deployer', 20);
    const issue = async (): Promise<number> => {
      const { expiresAt } = await world.client('ana').call('issueCredential', { params: { id } });
      return Date.parse(expiresAt) - (await world.store.nowMs());
    };
    const atFirst = await issue();
    assert.ok(atFirst <= 15 * MINUTE_MS && atFirst > 14 * MINUTE_MS, `${atFirst} ms`);
    await world.advance(10 * MINUTE_MS);
    const later = await issue();
    const leftMs = Date.parse(endsAt ?? '') - (await world.store.nowMs());
    assert.ok(later <= leftMs + 1_000 && later > leftMs - MINUTE_MS, `${later} of ${leftMs} ms`);
    await world.client('ana').call('returnGrant', { params: { id } });
    await world.until(id, 'ended');
  });

  it('is not made for a member role, and a failing Databricks is said to be one', async () => {
    const id = grantOf(await world.ask('ana', 'recsys-endpoint-query'));
    await world.until(id, 'active');
    await refused(world.client('ana').call('issueCredential', { params: { id } }), 'bad_request');

    const request = await world.ask('ana', 'recsys-deployer', 10);
    const approved = await world.client('lena').call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    await world.until(grantOf(approved), 'active');
    world.databricks.tune({ failNext: { status: 503, count: 1, path: /oidc/ } });
    const problem = await refused(
      world.client('ana').call('issueCredential', { params: { id: grantOf(approved) } }),
      'databricks_unavailable',
    );
    assert.doesNotMatch(JSON.stringify(problem), /eyJ/);
  });
});

describe('two holders of one federated role', function () {
  this.timeout(30_000);

  it('share the membership of its service principal, which goes with the last of them', async () => {
    const world = await startWorld();
    try {
      const group = SEED.jitGroups.deployer.id;
      const second = { sub: '00u-second', preferred_username: 'second@example.com', name: 'Second' };
      const approve = async (requestId: string, version: number): Promise<string> => {
        const lena = world.client('lena');
        return grantOf(await lena.call('approveRequest', { params: { id: requestId }, version, body: {} }));
      };
      const ask = { body: { roleId: 'recsys-deployer', purpose: 'Roll out', minutes: 10 } };
      const first = await world.client('ana').call('createRequest', ask);
      const other = await world.client('ana', second).call('createRequest', ask);
      const a = await approve(first.id, first.version);
      const b = await approve(other.id, other.version);
      await world.until(a, 'active');
      await world.until(b, 'active');
      await world.client('ana').call('issueCredential', { params: { id: a } });
      await world.client('ana').call('returnGrant', { params: { id: a } });
      const kept = await world.until(a, 'ended');
      assert.equal(kept.membershipAbsentAt, null);
      assert.equal(kept.outlives?.what, 'right', 'the other grant lets the token of this one act on');
      assert.deepEqual(world.databricks.members(group), [SEED.servicePrincipals.recsysDeployer.id]);
      await world.client('ana', second).call('issueCredential', { params: { id: b } });
      await world.client('ana', second).call('returnGrant', { params: { id: b } });
      assert.equal((await world.until(b, 'ended')).outlives?.what, 'tokenOnly');
      const leases = await world.store.db.selectFrom('credential_lease').selectAll().execute();
      assert.deepEqual(
        leases.map((lease) => [lease.grant_id, lease.state, lease.outlives_what]).sort(),
        [
          [a, 'outlives', 'right'],
          [b, 'outlives', 'tokenOnly'],
        ].sort(),
      );
      assert.deepEqual(world.databricks.members(group), []);
    } finally {
      await world.close();
    }
  });

  it('leave nothing behind where the second one ends before anything was written for it', async () => {
    const world = await startWorld();
    try {
      const group = SEED.jitGroups.deployer.id;
      const { id: first } = await granted(world, 'ana', 'recsys-deployer', 10);
      world.databricks.tune({
        failNext: { status: 429, count: 3, path: /scim\/v2\/Groups/, method: 'PATCH' },
      });
      const other = { sub: '00u-second', preferred_username: 'second@example.com', name: 'Second' };
      const request = await world.client('ana', other).call('createRequest', {
        body: { roleId: 'recsys-deployer', purpose: 'Roll out', minutes: 10 },
      });
      const approved = await world.client('lena').call('approveRequest', {
        params: { id: request.id },
        version: request.version,
        body: {},
      });
      const second = grantOf(approved);
      await world.until(second, 'provisioning');
      await world.client('ana').call('returnGrant', { params: { id: first } });
      // Until the first one's removal was looked at, while the second one lived.
      const wasLookedAt = async (): Promise<boolean> => {
        const { state, trouble } = await world.client('aude').call('getGrant', { params: { id: first } });
        return state === 'ended' || trouble !== null;
      };
      while (!(await wasLookedAt())) await new Promise((resolve) => setTimeout(resolve, 25));
      await world.client('ana', other).call('returnGrant', { params: { id: second } });
      await world.until(first, 'ended');
      await world.until(second, 'ended');
      assert.deepEqual(world.databricks.members(group), []);
    } finally {
      await world.close();
    }
  });
});

describe('a credential that is being made while its grant ends', function () {
  this.timeout(30_000);

  it('is not handed out', async () => {
    let armed: (() => Promise<unknown>) | undefined;
    const world: World = await startWorld({
      beforeExchange: async (request) => {
        if (armed === undefined || request.body?.includes('token-exchange') !== true) return;
        const end = armed;
        armed = undefined;
        await end();
      },
    });
    try {
      const request = await world.ask('ana', 'recsys-deployer', 10);
      const approved = await world.client('lena').call('approveRequest', {
        params: { id: request.id },
        version: request.version,
        body: {},
      });
      const id = grantOf(approved);
      await world.until(id, 'active');
      const ana = world.client('ana');
      armed = () => ana.call('returnGrant', { params: { id } });
      await refused(ana.call('issueCredential', { params: { id } }), 'grant_not_active');
      assert.equal(armed, undefined, 'the moment never came');
      await world.until(id, 'ended');
    } finally {
      await world.close();
    }
  });
});
