import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { type Logger, silentLogger } from '../../../../src/domain/logger.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { grantOf, startWorld, type World } from '../world.ts';

const QUERY = SEED.jitGroups.endpointQuery.id;
const OPERATOR = SEED.jitGroups.clusterOperator.id;

describe('grants whose time has come', function () {
  this.timeout(30_000);
  let world: World;
  let alarms: { message: string; grantId: unknown }[];
  beforeEach(async () => {
    alarms = [];
    const logger: Logger = {
      ...silentLogger,
      error: (message, fields) => alarms.push({ message, grantId: fields?.['grantId'] }),
    };
    world = await startWorld({ logger });
  });
  afterEach(() => world.close());

  const hold = async (name: 'ana' | 'omar', role: string): Promise<string> => {
    const id = grantOf(await world.ask(name, role, 5));
    await world.until(id, 'active');
    return id;
  };

  /** The end of a grant as the store has it: what can be read of it is not the question. */
  const ended = async (id: string) => {
    for (;;) {
      const row = await world.store.db
        .selectFrom('access_grant')
        .select(['state', 'end_reason', 'membership_absent_at'])
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      if (row.state === 'ended') return row;
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  };

  it('end also where what was stored of the role cannot be read, and the others with them', async () => {
    const broken = await hold('ana', 'recsys-endpoint-query');
    const sound = await hold('omar', 'platform-cluster-operator');
    await sql`update oam.access_grant set role = '{"id": "from another time"}' where id = ${broken}`.execute(
      world.store.db,
    );
    const { items } = await world.client('ana').call('listGrants');
    assert.deepEqual(items, [], 'what cannot be read is left out of the list');
    assert.ok(alarms.some(({ grantId }) => grantId === broken));

    await world.store.advance(6 * 60_000);
    await world.until(sound, 'ended');
    const row = await ended(broken);
    assert.equal(row.end_reason, 'expired');
    assert.ok(row.membership_absent_at);
    assert.deepEqual(world.databricks.members(QUERY), []);
    assert.deepEqual(world.databricks.members(OPERATOR), []);
  });

  it('end where the store refuses to end one of them: that one is an alarm, and ends when it can', async () => {
    const refused = await hold('ana', 'recsys-endpoint-query');
    const sound = await hold('omar', 'platform-cluster-operator');
    await sql`
      create function oam.never() returns trigger language plpgsql as
        $$ begin raise exception 'not this one'; end $$`.execute(world.store.db);
    await sql`
      create trigger never before update on oam.access_grant for each row
        when (old.id = ${sql.lit(refused)}) execute function oam.never()`.execute(world.store.db);
    await world.store.advance(6 * 60_000);
    await world.until(sound, 'ended');
    assert.deepEqual(world.databricks.members(OPERATOR), []);
    assert.ok(
      alarms.some(({ grantId, message }) => grantId === refused && message.includes('cannot be ended')),
    );
    await sql`drop trigger never on oam.access_grant`.execute(world.store.db);
    await ended(refused);
    assert.deepEqual(world.databricks.members(QUERY), []);
  });
});
