import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { migrations } from '../../../../src/control-plane/store/migrations/index.ts';
import { openStore, type Store } from '../../../../src/control-plane/store/store.ts';
import { silentLogger } from '../../../../src/domain/logger.ts';
import { addressOf, emptyDatabase } from '../database.ts';

const ROUNDS = 5;

const REPLICAS = 6;

describe('an empty database', function () {
  this.timeout(60_000);

  const open = (databaseUrl: string): Promise<Store> =>
    openStore({ dataFolder: '/nowhere', databaseUrl, logger: silentLogger });

  it('is built once by replicas that start on it at the same moment, and all of them come up', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      await using database = await emptyDatabase();
      const stores = await Promise.all(Array.from({ length: REPLICAS }, () => open(database.url)));
      const [epochs, steps] = await Promise.all([
        Promise.all(stores.map(({ db }) => db.selectFrom('store').select('epoch').execute())),
        sql<{ number: number }>`select number from oam.migration order by applied_at, number`.execute(
          stores[0]?.db ?? assert.fail(),
        ),
      ]);
      assert.equal(new Set(epochs.map(([row]) => row?.epoch)).size, 1);
      assert.deepEqual(
        steps.rows.map(({ number }) => number),
        migrations.map(({ number }) => number),
      );
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  it('needs no more rights than its own schema, where an administrator has made that', async () => {
    await using database = await emptyDatabase();
    const { host, database: name } = database.connection;
    assert.ok(host !== undefined && name !== undefined);
    const user = `${name}_narrow`;
    await database.run(`create role ${user} login password 'narrow'`);
    await database.run(`create schema oam authorization ${user}`);
    const store = await open(addressOf({ host, user, password: 'narrow', database: name }));
    assert.equal((await store.db.selectFrom('clock').select('ahead_ms').execute()).length, 1);
    await store.close();
    await database.run(`drop owned by ${user}; drop role ${user}`);
  });
});
