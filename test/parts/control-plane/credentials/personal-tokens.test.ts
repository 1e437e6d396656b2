import assert from 'node:assert/strict';

import { MINUTE_MS } from '../../../../src/domain/time.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { bearerOf, refused, type World } from '../world.ts';
import { granted } from './granted.ts';
import {
  CREATE,
  gone,
  GROUP,
  issue,
  leases,
  OWNER,
  ROLE,
  startTokenWorld,
  statusAs,
  tokensOf,
  until,
} from './personal-token-world.ts';

/** Every text that the store holds, to look for what must not be there. */
async function everythingStored(world: World): Promise<string> {
  const { db } = world.store;
  const tables = [
    'audit',
    'credential_lease',
    'personal_token',
    'idempotency',
    'event',
    'access_grant',
  ] as const;
  const rows = await Promise.all(tables.map((table) => db.selectFrom(table).selectAll().execute()));
  return JSON.stringify(rows);
}

describe('the personal access token of a role', function () {
  this.timeout(40_000);
  let world: World;
  const logged: string[] = [];
  const log = (message: string, facts?: unknown): void => {
    logged.push(`${message} ${JSON.stringify(facts ?? {})}`);
  };
  before(async () => {
    world = await startTokenWorld({ logger: { debug: log, info: log, warn: log, error: log } });
  });
  after(() => world.close());

  it('acts as the service principal for as long as the access, and its holder is told what it is', async () => {
    const grant = await granted(world, 'ana', ROLE, 30);
    const credential = await issue(world, grant.id, 'first');
    assert.equal(credential.kind, 'personal_token');
    assert.match(credential.warning, /whoever has it/);
    const [token, ...others] = tokensOf(world);
    assert.deepEqual(others, []);
    assert.ok(token);
    assert.deepEqual([token.ownerId, token.createdById], [OWNER.id, SEED.servicePrincipals.tokens.id]);
    assert.match(token.comment, new RegExp(`^oam:[0-9a-f-]{36}:${credential.leaseId}:[0-9a-f-]{36}$`));
    const endsAtMs = Date.parse(grant.endsAt ?? '');
    assert.ok(token.expiresAtMs <= endsAtMs + 1_000, 'the token outlives the access');
    assert.ok(token.expiresAtMs > endsAtMs - MINUTE_MS, 'the token ends long before the access');
    assert.ok(credential.expiresAt <= (grant.endsAt ?? ''));
    assert.equal(await statusAs(world, bearerOf(credential)), 200);

    await world.client('ana').call('returnGrant', { params: { id: grant.id } });
    await gone(world);
    assert.equal(await statusAs(world, bearerOf(credential)), 403);
    const [lease] = await until(
      () => leases(world, grant.id),
      ([seen]) => seen?.state === 'revoked',
    );
    assert.ok(lease?.revokedAt);
    const ended = await world.until(grant.id, 'ended');
    assert.equal(ended.outlives, null, 'nothing is left, and something is said to be');
    assert.deepEqual(world.databricks.members(GROUP), []);
    await refused(issue(world, grant.id, 'first'), 'grant_not_active');

    const secret = bearerOf(credential);
    assert.ok(!(await everythingStored(world)).includes(secret), 'the token was stored');
    assert.ok(!logged.join('\n').includes(secret), 'the token was logged');
    const { items } = await world.client('aude').call('listAudit', { query: { limit: 200 } });
    const events = items.filter(({ grantId }) => grantId === grant.id).map(({ event }) => event);
    for (const event of ['credential.issued', 'personal_token.made', 'personal_token.gone']) {
      assert.ok(events.includes(event), event);
    }
  });

  it('is made afresh where a call is repeated, under the same lease, and the former one is deleted', async () => {
    const { id } = await granted(world, 'ana', ROLE, 30);
    const first = await issue(world, id, 'again');
    const second = await issue(world, id, 'again');
    assert.equal(second.leaseId, first.leaseId);
    assert.notEqual(bearerOf(second), bearerOf(first));
    const [left] = await until(
      () => tokensOf(world),
      (tokens) => tokens.length === 1,
    );
    assert.ok(left?.comment.includes(first.leaseId));
    assert.equal(await statusAs(world, bearerOf(first)), 403);
    assert.equal(await statusAs(world, bearerOf(second)), 200);
    assert.deepEqual(
      (await leases(world, id)).map(({ state, renewals }) => [state, renewals]),
      [['renewed', 1]],
    );
    await world.client('lena').call('revokeGrant', { params: { id }, body: { reason: 'Enough' } });
    await gone(world);
    assert.equal(await statusAs(world, bearerOf(second)), 403);
    await world.until(id, 'ended');
  });

  it('goes at the end of the window, and with an extension only at the end of that', async () => {
    const { id } = await granted(world, 'ana', ROLE, 10);
    const early = await issue(world, id);
    const request = await world
      .client('ana')
      .call('extendGrant', { params: { id }, body: { minutes: 10, purpose: 'It takes longer' } });
    const approved = await world.client('lena').call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    const later = approved.grantId ?? '';
    await world.until(later, 'active');
    const second = await issue(world, later);
    assert.equal(await statusAs(world, bearerOf(early)), 200, 'the token went though the access goes on');
    await world.advance(10 * MINUTE_MS + 2_000);
    assert.equal(await statusAs(world, bearerOf(early)), 403);
    assert.equal(await statusAs(world, bearerOf(second)), 200);
    await world.advance(10 * MINUTE_MS);
    await world.until(later, 'ended');
    await gone(world);
    const rows = await until(
      () => world.store.db.selectFrom('personal_token').select('state').execute(),
      (all) => all.every(({ state }) => state === 'gone'),
    );
    assert.ok(rows.length > 0);
  });

  it('is limited in number for each access, and a repetition has room', async () => {
    const { id } = await granted(world, 'ana', ROLE, 10);
    for (const key of ['1', '2', '3', '4', '5']) await issue(world, id, `limit-${key}`);
    await refused(issue(world, id, 'limit-6'), 'too_many_credentials');
    await issue(world, id, 'limit-5');
    await until(
      () => tokensOf(world),
      (tokens) => tokens.length === 5,
    );
    await world.client('ana').call('returnGrant', { params: { id } });
    await gone(world);
    await world.until(id, 'ended');
  });

  it('leaves alone what others made, whatever its comment says', async () => {
    const { id } = await granted(world, 'ana', ROLE, 10);
    await issue(world, id);
    const [mine] = tokensOf(world);
    const { host } = world.databricks.workspaces.prod;
    const own = world.databricks.personalAccessToken('prod', SEED.users.ana.userName);
    const made = await axiosTransport()({
      method: 'POST',
      url: `${host}/api/2.0/token/create`,
      headers: { authorization: `Bearer ${own}`, 'content-type': 'application/json' },
      // A comment of OAM's own form, of its own epoch, for a token that the store does not know.
      body: JSON.stringify({
        lifetime_seconds: 600,
        comment: mine?.comment.replace(/[0-9a-f]{12}$/, 'ffffffffffff'),
      }),
    });
    assert.equal(made.status, 200);
    const looked = (): number =>
      world.databricks.requests().filter(({ method, path }) => method === 'GET' && path.endsWith('/tokens'))
        .length;
    const before = looked();
    await world.client('ana').call('returnGrant', { params: { id } });
    await until(
      () => tokensOf(world).filter(({ ownerId }) => ownerId === OWNER.id).length,
      (count) => count === 0,
    );
    await world.advance(3_000);
    await until(looked, (count) => count >= before + 3);
    assert.equal(tokensOf(world).length, 2, 'a token that somebody else made was deleted');
    for (const token of tokensOf(world)) world.databricks.deletePersonalAccessToken(token.id);
    await world.until(id, 'ended');
  });

  it('is refused in words where Databricks has no room, or refuses, and nothing is left to look for', async () => {
    const { id } = await granted(world, 'ana', ROLE, 10);
    world.databricks.tune({ failNext: { status: 429, count: 1, path: CREATE } });
    await refused(issue(world, id, 'slow'), 'databricks_unavailable');
    world.databricks.tune({ cloud: 'azure' });
    const problem = await refused(issue(world, id, 'azure'), 'databricks_unavailable');
    assert.match(problem.detail, /FEATURE_DISABLED/);
    world.databricks.tune({ cloud: 'aws' });
    const states = await world.store.db
      .selectFrom('personal_token as token')
      .innerJoin('credential_lease as lease', 'lease.id', 'token.lease_id')
      .where('lease.grant_id', '=', id)
      .select('token.state')
      .execute();
    assert.deepEqual(states, [{ state: 'gone' }, { state: 'gone' }]);
    assert.equal(await statusAs(world, bearerOf(await issue(world, id, 'slow'))), 200);
    await world.client('ana').call('returnGrant', { params: { id } });
    await gone(world);
    await world.until(id, 'ended');
  });
});
