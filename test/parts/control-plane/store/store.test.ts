import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { migrate } from '../../../../src/control-plane/store/migrate.ts';
import { migrations } from '../../../../src/control-plane/store/migrations/index.ts';
import { openStore } from '../../../../src/control-plane/store/store.ts';
import { hasCode } from '../../../../src/domain/errors.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { freshStore, type TestStore } from '../database.ts';

describe('the store', function () {
  this.timeout(30_000);
  let store: TestStore;

  beforeEach(async () => {
    store = await freshStore();
  });
  afterEach(() => store.close());

  const applied = async () =>
    (await sql<{ number: number }>`select number from oam.migration order by number`.execute(store.db)).rows;

  it('tells the time in whole milliseconds, and moves it for tests', async () => {
    const before = await store.nowMs();
    await store.advance(90_000);
    const after = await store.nowMs();
    assert.ok(after - before >= 90_000 && after - before < 95_000, String(after - before));
    const { rows } = await sql<{ whole: boolean }>`
      select date_trunc('milliseconds', oam.now()) = oam.now() as whole
      from generate_series(1, 50)`.execute(store.db);
    // Each row reads the clock twice; what counts is that no reading has microseconds.
    assert.equal(rows.length, 50);
    const micros = await sql<{ micros: string }>`
      select (extract(microseconds from oam.now())::int % 1000)::text as micros`.execute(store.db);
    assert.equal(micros.rows[0]?.micros, '0');
  });

  it('lets an index serve a comparison with the time', async () => {
    await sql`create table oam.due (at timestamptz not null)`.execute(store.db);
    await sql`insert into oam.due select oam.now() + n * interval '1 hour' from generate_series(1, 20000) n`.execute(
      store.db,
    );
    await sql`create index on oam.due (at)`.execute(store.db);
    await sql`analyze oam.due`.execute(store.db);
    const plan = await sql<
      Record<string, string>
    >`explain select * from oam.due where at <= oam.now()`.execute(store.db);
    const text = plan.rows.map((row) => row['QUERY PLAN']).join('\n');
    assert.match(text, /Index Cond: .*at <= /);
  });

  it('gives counts as numbers, and refuses those that do not fit', async () => {
    const { rows } = await sql<{ count: number }>`select count(*) from oam.clock`.execute(store.db);
    assert.equal(rows[0]?.count, 1);
    await assert.rejects(sql`select 9007199254740993::bigint`.execute(store.db), /Too large/);
  });

  it('outlives a connection that breaks in the middle of a transaction', async () => {
    const broken = store.db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
      await sql`select pg_terminate_backend(${rows[0]?.pid}, 5000)`.execute(store.db);
      await sql`select 1`.execute(trx);
    });
    await assert.rejects(broken, /terminat|closed|queryable/);
    assert.ok(await store.nowMs());
  });

  it('applies each step once, in order, with several starting together', async () => {
    const steps = [
      ...migrations,
      { number: migrations.length + 1, name: 'one', sql: 'create table oam.one (n integer)' },
      { number: migrations.length + 2, name: 'two', sql: 'alter table oam.one add m integer; select 1' },
    ];
    await Promise.all([1, 2, 3, 4].map(() => migrate(store.db, steps, silentLogger)));
    assert.deepEqual(
      await applied(),
      steps.map(({ number }) => ({ number })),
    );
    await sql`insert into oam.one (n, m) values (1, 2)`.execute(store.db);
  });

  it('leaves nothing of a step that fails', async () => {
    const before = await applied();
    const broken = {
      number: migrations.length + 1,
      name: 'broken',
      sql: 'create table oam.half (n integer); select no_such_function()',
    };
    await assert.rejects(migrate(store.db, [...migrations, broken], silentLogger), /no_such_function/);
    assert.deepEqual(await applied(), before);
    await assert.rejects(sql`select * from oam.half`.execute(store.db), /does not exist/);
  });

  it('refuses a database that a newer version has changed', async () => {
    const next = { number: migrations.length + 1, name: 'later', sql: 'select 1' };
    await migrate(store.db, [...migrations, next], silentLogger);
    await assert.rejects(migrate(store.db, migrations, silentLogger), (error) =>
      hasCode(error, 'store_newer'),
    );
  });

  it('refuses a database whose steps are not the ones that it knows', async () => {
    const edited = migrations.map((step) => ({ ...step, sql: `${step.sql} -- edited` }));
    await assert.rejects(migrate(store.db, edited, silentLogger), (error) => hasCode(error, 'store_changed'));
  });

  it('says so in a sentence when the database at the address does not answer', async () => {
    const elsewhere = { dataFolder: '/nowhere', databaseUrl: 'postgres://u:p@127.0.0.1:1/x' };
    await assert.rejects(openStore({ ...elsewhere, logger: silentLogger }), (error) =>
      hasCode(error, 'store_unavailable'),
    );
  });
});
