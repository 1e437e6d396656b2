import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { bearerOf, refused, startWorld, type World } from '../world.ts';

describe('a list of requests and of grants', function () {
  this.timeout(20_000);
  const ROWS = 6;
  let world: World;
  before(async () => {
    world = await startWorld();
    const ana = world.client('ana');
    for (let made = 0; made < ROWS; made += 1) {
      const { id } = await world.ask('ana', 'recsys-model-promote');
      await ana.call('cancelRequest', { params: { id } });
    }
    for (let made = 0; made < ROWS; made += 1) {
      const { grantId } = await world.ask('ana', 'recsys-endpoint-query');
      assert.ok(grantId);
      await ana.call('returnGrant', { params: { id: grantId } });
      await world.until(grantId, 'ended', 'failed');
    }
    // All at the same moment: only their ids tell them apart.
    await sql`update oam.access_request set created_at = timestamptz '2020-01-01'`.execute(world.store.db);
    await sql`update oam.access_grant set ends_at = case when id::text < '8' then timestamptz '2020-01-01' end`.execute(
      world.store.db,
    );
  });
  after(() => world.close());

  /** The ids of all pages, and how long each page was. */
  const walk = async (
    operation: 'listRequests' | 'listGrants',
    limit: number,
  ): Promise<{ ids: string[]; lengths: number[] }> => {
    const ids: string[] = [];
    const lengths: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await world
        .client('ana')
        .call(operation, { query: { limit, ...(cursor !== undefined && { cursor }) } });
      ids.push(...page.items.map((item) => item.id));
      lengths.push(page.items.length);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return { ids, lengths };
  };

  for (const [operation, rows] of [
    ['listRequests', 2 * ROWS],
    ['listGrants', ROWS],
  ] as const) {
    for (const limit of [1, 2, rows - 1, rows, rows + 1]) {
      it(`gives each row of ${operation} once by pages of ${limit}, and no empty page`, async () => {
        const { ids, lengths } = await walk(operation, limit);
        assert.equal(ids.length, rows);
        assert.equal(new Set(ids).size, rows);
        assert.ok(lengths.every((length) => length > 0));
        assert.deepEqual(ids, (await walk(operation, 200)).ids);
      });
    }
  }

  it('gives nobody the rows of another by their cursor', async () => {
    const { nextCursor } = await world.client('ana').call('listRequests', { query: { limit: 1 } });
    assert.ok(nextCursor);
    const page = await world.client('omar').call('listRequests', { query: { cursor: nextCursor } });
    assert.deepEqual(page.items, []);
  });
});

describe('one key for one wish', function () {
  this.timeout(20_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  it('approves once, however often and closely it is sent, and stands for nothing else', async () => {
    const request = await world.ask('ana', 'recsys-model-promote');
    const lena = world.client('lena');
    const wish = {
      params: { id: request.id },
      version: request.version,
      body: { comment: 'yes' },
      idempotencyKey: 'approve-1',
    };
    const answers = await Promise.all(Array.from({ length: 5 }, () => lena.call('approveRequest', wish)));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal((await world.client('ana').call('listGrants')).items.length, 1);
    // Later, too, and although the version that it names is not the present one any more.
    assert.deepEqual(await lena.call('approveRequest', wish), answers[0]);

    await refused(lena.call('approveRequest', { ...wish, body: {} }), 'idempotency_key_reused');
    await refused(lena.call('denyRequest', { ...wish, body: { reason: 'no' } }), 'idempotency_key_reused');
    // A key is its sender's own: nobody else is given the answer that it has.
    await refused(world.client('ana').call('approveRequest', wish), 'precondition_failed');
  });

  it('keeps no token of a federated role in the store', async () => {
    const request = await world.ask('ana', 'recsys-deployer');
    const { grantId } = await world.client('lena').call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    assert.ok(grantId);
    await world.until(grantId, 'active');
    const ask = () =>
      world.client('ana').call('issueCredential', { params: { id: grantId }, idempotencyKey: 'token-1' });
    const [first, second] = [await ask(), await ask()];
    assert.equal(first.leaseId, second.leaseId);
    const { rows } = await sql<{ name: string }>`
      select table_name as name from information_schema.tables where table_schema = 'oam'`.execute(
      world.store.db,
    );
    assert.ok(rows.length > 5);
    for (const { name } of rows) {
      const { rows: found } = await sql`
        select 1 from ${sql.table(`oam.${name}`)} as row
        where row::text like ${`%${bearerOf(first)}%`} or row::text like ${`%${bearerOf(second)}%`}`.execute(
        world.store.db,
      );
      assert.deepEqual(found, [], name);
    }
  });
});
