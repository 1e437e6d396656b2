import assert from 'node:assert/strict';

import { MINUTE_MS } from '../../../../src/domain/time.ts';
import { axiosTransport, type HttpRequest } from '../../../../src/protocol/transport.ts';
import { bearerOf, refused, type World } from '../world.ts';
import { granted } from './granted.ts';
import {
  CREATE,
  gone,
  issue,
  leases,
  NO_SWEEP,
  OWNER,
  ROLE,
  startTokenWorld,
  statusAs,
  tokensOf,
  until,
} from './personal-token-world.ts';

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
