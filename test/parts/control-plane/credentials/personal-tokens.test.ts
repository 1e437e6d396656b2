import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { MINUTE_MS } from '../../../../src/domain/time.ts';
import type { CredentialView } from '../../../../src/protocol/credentials.ts';
import { axiosTransport, type HttpRequest } from '../../../../src/protocol/transport.ts';
import { type SandboxPersonalToken, SEED } from '../../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { withRole } from '../changed-role.ts';
import {
  bearerOf,
  DIRECTORY_TOKEN,
  type Name,
  refused,
  startWorld,
  type World,
  type WorldOptions,
} from '../world.ts';
import { granted } from './granted.ts';

const ROLE = 'recsys-deployer';
const GROUP = SEED.jitGroups.deployer.id;
const OWNER = SEED.servicePrincipals.recsysDeployer;
const CREATE = /on-behalf-of/;

/** What is said of a token of a role that is `pat`. */
const asPersonalToken = withRole(ROLE, { credential: 'pat', sensitivity: 'medium' });

const startTokenWorld = (options: WorldOptions = {}): Promise<World> =>
  startWorld({ adjustPolicy: asPersonalToken, reconciler: { everySeconds: 1 }, ...options });

/** Without the net beneath: whatever is missed stays. */
const NO_SWEEP: WorldOptions = { reconciler: { everySeconds: 3_600 } };

const tokensOf = (world: World): readonly SandboxPersonalToken[] =>
  world.databricks.personalAccessTokens('prod');

const issue = (world: World, id: string, idempotencyKey?: string): Promise<CredentialView> =>
  world
    .client('ana')
    .call('issueCredential', { params: { id }, ...(idempotencyKey !== undefined && { idempotencyKey }) });

const statusAs = async (world: World, token: string): Promise<number> => {
  const { host } = world.databricks.workspaces.prod;
  const answer = await axiosTransport()({
    method: 'GET',
    url: `${host}/api/2.0/preview/scim/v2/Me`,
    headers: { authorization: `Bearer ${token}` },
  });
  return answer.status;
};

const leases = async (world: World, id: string, as: Name = 'ana') =>
  (await world.client(as).call('listLeases', { params: { id } })).items;

async function until<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > deadline) throw new Error(`It did not come to it: ${JSON.stringify(seen)}`);
    await delay(20);
  }
}

const gone = (world: World): Promise<unknown> =>
  until(
    () => tokensOf(world).length,
    (count) => count === 0,
  );

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

describe('a personal access token whose making went wrong', function () {
  this.timeout(40_000);
  let world: World | undefined;
  afterEach(async () => {
    await world?.close();
    world = undefined;
  });

  it('is found and deleted where its answer was lost, and a repetition gets another one', async () => {
    world = await startTokenWorld(NO_SWEEP);
    const { id } = await granted(world, 'ana', ROLE, 30);
    for (const status of [0, 503, 408]) {
      world.databricks.tune({ failNext: { status, count: 1, path: CREATE, when: 'after' } });
      await refused(issue(world, id, `lost-${status}`), 'databricks_unavailable');
    }
    await gone(world);
    const again = await issue(world, id, 'lost-0');
    assert.equal(await statusAs(world, bearerOf(again)), 200);
    assert.equal(tokensOf(world).length, 1);
  });

  it('is found where lists lag behind', async () => {
    world = await startTokenWorld({ ...NO_SWEEP, absenceConfirmMs: 700 });
    world.databricks.tune({ tokenLagMs: 400 });
    const { id } = await granted(world, 'ana', ROLE, 30);
    world.databricks.tune({ failNext: { status: 0, count: 1, path: CREATE, when: 'after' } });
    await refused(issue(world, id), 'databricks_unavailable');
    await gone(world);
    const kept = await issue(world, id);
    await world.client('ana').call('returnGrant', { params: { id } });
    await gone(world);
    assert.equal(await statusAs(world, bearerOf(kept)), 403);
    await until(
      () => leases(world ?? assert.fail(), id),
      (all) => all.some(({ state }) => state === 'revoked'),
    );
  });

  it('is deleted by and by where Databricks does not let it be deleted at first', async () => {
    world = await startTokenWorld();
    const { id } = await granted(world, 'ana', ROLE, 30);
    await issue(world, id);
    world.databricks.tune({
      failNext: { status: 503, count: 2, method: 'DELETE', path: /tokens/, retryAfterSeconds: 1 },
    });
    world.databricks.tune({
      failNext: { status: 429, count: 1, method: 'DELETE', path: /tokens/, retryAfterSeconds: 1 },
    });
    world.databricks.tune({
      failNext: { status: 0, count: 1, method: 'DELETE', path: /tokens/, when: 'after' },
    });
    await world.client('ana').call('returnGrant', { params: { id } });
    await until(
      () => leases(world ?? assert.fail(), id),
      ([lease]) => lease?.state === 'revoked',
    );
    assert.deepEqual(tokensOf(world), []);
  });

  it('is not handed out where its access ends while it is made, and is deleted', async () => {
    let armed: (() => Promise<unknown>) | undefined;
    world = await startTokenWorld({
      beforeExchange: async (request: HttpRequest) => {
        if (armed === undefined || !request.url.includes('on-behalf-of')) return;
        const end = armed;
        armed = undefined;
        await end();
      },
    });
    const there = world;
    const { id } = await granted(there, 'ana', ROLE, 30);
    // The end is under way, and has looked for the token in vain, before it is made.
    armed = async () => {
      await there.client('ana').call('returnGrant', { params: { id } });
      await until(
        () => there.store.db.selectFrom('personal_token').select('state').execute(),
        (all) => all.every(({ state }) => state === 'gone'),
      );
    };
    await refused(issue(there, id), 'grant_not_active');
    assert.equal(armed, undefined, 'the moment never came');
    await gone(there);
    await until(
      () => there.store.db.selectFrom('personal_token').select('state').execute(),
      (all) => all.every(({ state }) => state === 'gone'),
    );
  });

  it('is deleted where the one who made it stopped before it was on record', async () => {
    world = await startTokenWorld(NO_SWEEP);
    const there = world;
    const { id } = await granted(there, 'ana', ROLE, 30);
    // As a kill leaves it: committed to and made, and nobody there who could have heard the answer.
    await there.restart(undefined, async () => {
      await commitAndMake(there, id);
    });
    assert.equal(tokensOf(there).length, 1);
    await there.advance(MINUTE_MS + 1_000);
    await gone(there);
  });

  it('is swept up where the store knows nothing of it, or believes that it is gone', async () => {
    world = await startTokenWorld();
    const there = world;
    const { id } = await granted(there, 'ana', ROLE, 30);
    await commitAndMake(there, id);
    await commitAndMake(there, id);
    const [first] = await there.store.db.selectFrom('personal_token').select('id').execute();
    await there.store.db
      .deleteFrom('personal_token')
      .where('id', '=', first?.id ?? '')
      .execute();
    await there.store.db
      .updateTable('personal_token')
      .set({ state: 'gone', gone_at: new Date(await there.store.nowMs()) })
      .execute();
    assert.equal(tokensOf(there).length, 2);
    await there.advance(2_000);
    await gone(there);
    const { items } = await there.client('aude').call('listAudit', { query: { limit: 200 } });
    assert.equal(items.filter(({ event }) => event === 'personal_token.orphan').length, 2);
  });

  it('is one at most where the same call is made many times at once', async () => {
    world = await startTokenWorld();
    const there = world;
    const { id } = await granted(there, 'ana', ROLE, 30);
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => issue(there, id, 'at-once')));
    assert.ok(outcomes.some(({ status }) => status === 'fulfilled'));
    await until(
      () => tokensOf(there),
      (tokens) => tokens.length === 1,
    );
    const statuses = await Promise.all(
      outcomes.flatMap((outcome) =>
        outcome.status === 'fulfilled' ? [statusAs(there, bearerOf(outcome.value))] : [],
      ),
    );
    assert.equal(statuses.filter((status) => status === 200).length, 1);
  });

  /** What a control plane does up to the moment at which it hears that the token was made. */
  async function commitAndMake(there: World, grantId: string): Promise<void> {
    const { db } = there.store;
    const { epoch } = await db.selectFrom('store').select('epoch').executeTakeFirstOrThrow();
    const leaseId = crypto.randomUUID();
    const tokenId = crypto.randomUUID();
    const now = new Date(await there.store.nowMs());
    const end = new Date(now.getTime() + 10 * MINUTE_MS);
    await db
      .insertInto('credential_lease')
      .values({
        ...{ id: leaseId, grant_id: grantId, iss: 'x', sub: 'x', idempotency_key: leaseId, state: 'issued' },
        ...{ issued_at: now, expires_at: end },
      })
      .execute();
    await db
      .insertInto('personal_token')
      .values({
        ...{ id: tokenId, lease_id: leaseId, workspace_host: there.databricks.workspaces.prod.host },
        ...{ state: 'making', databricks_id: null, created_at: now, expires_at: end },
        ...{ deleted_at: null, first_absent_at: null, gone_at: null },
        next_attempt_at: new Date(now.getTime() + MINUTE_MS),
      })
      .execute();
    const { host } = there.databricks.workspaces.prod;
    const { applicationId, secret } = there.databricks.tokenCredentials;
    const signedIn = await axiosTransport()({
      method: 'POST',
      url: `${host}/oidc/v1/token`,
      headers: {
        authorization: `Basic ${Buffer.from(`${applicationId}:${secret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'grant_type=client_credentials&scope=all-apis',
    });
    const { access_token: token } = JSON.parse(signedIn.text) as { access_token: string };
    const made = await axiosTransport()({
      method: 'POST',
      url: `${host}/api/2.0/token-management/on-behalf-of/tokens`,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        application_id: OWNER.applicationId,
        lifetime_seconds: 600,
        comment: `oam:${epoch}:${leaseId}:${tokenId}`,
      }),
    });
    assert.equal(made.status, 200, made.text);
  }
});

describe('two who hold one role by personal access tokens', function () {
  this.timeout(40_000);

  it('lose each their own, and the membership goes with the last of them', async () => {
    const world = await startTokenWorld();
    try {
      const second = { sub: '00u-second', preferred_username: 'second@example.com', name: 'Second' };
      const ask = { body: { roleId: ROLE, purpose: 'Roll out', minutes: 10 } };
      const a = await granted(world, 'ana', ROLE, 10);
      const asked = await world.client('ana', second).call('createRequest', ask);
      const approved = await world
        .client('lena')
        .call('approveRequest', { params: { id: asked.id }, version: asked.version, body: {} });
      const b = await world.until(approved.grantId ?? '', 'active');
      const first = await issue(world, a.id);
      const other = await world.client('ana', second).call('issueCredential', { params: { id: b.id } });
      await world.client('ana').call('returnGrant', { params: { id: a.id } });
      await world.until(a.id, 'ended');
      await until(
        () => statusAs(world, bearerOf(first)),
        (status) => status === 403,
      );
      assert.equal(await statusAs(world, bearerOf(other)), 200);
      assert.deepEqual(world.databricks.members(GROUP), [OWNER.id]);
      const grant = await until(
        () => world.client('aude').call('getGrant', { params: { id: a.id } }),
        ({ outlives }) => outlives === null,
      );
      assert.equal(grant.membershipAbsentAt, null);
      await world.client('ana', second).call('returnGrant', { params: { id: b.id } });
      await gone(world);
      await world.until(b.id, 'ended');
      assert.deepEqual(world.databricks.members(GROUP), []);
    } finally {
      await world.close();
    }
  });
});

describe('the personal access token of somebody who leaves the company', function () {
  this.timeout(40_000);

  it('is deleted at once by the word of the directory, and works no more', async () => {
    const world = await startTokenWorld({ directory: true, ...NO_SWEEP });
    try {
      const grant = await granted(world, 'ana', ROLE, 60);
      const token = bearerOf(await issue(world, grant.id));
      assert.equal(await statusAs(world, token), 200);
      const { status } = await world.http({
        method: 'POST',
        path: '/api/v1/scim/v2/Users',
        headers: { authorization: `Bearer ${DIRECTORY_TOKEN}`, 'content-type': 'application/scim+json' },
        body: JSON.stringify({
          schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
          userName: PEOPLE.ana.userName,
          externalId: PEOPLE.ana.sub,
          active: false,
        }),
      });
      assert.equal(status, 201);
      await gone(world);
      assert.equal(await statusAs(world, token), 403);
      // Of all that a deletion leaves on record, the lease comes last.
      await until(
        () => leases(world, grant.id, 'aude'),
        ([seen]) => seen?.state === 'revoked',
      );
    } finally {
      await world.close();
    }
  });
});
