/**
 * Records the store of the version at hand, after a morning in which most of what can happen did:
 *
 *     npx -c "mocha test/parts/control-plane/store/versions/record.ts"
 *
 * A recording is made when a version is released, and never again.
 */
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { migrations } from '../../../../../src/control-plane/store/migrations/index.ts';
import { DAY_MS, HOUR_MS, SECOND_MS } from '../../../../../src/domain/time.ts';
import type { RequestView } from '../../../../../src/protocol/schemas.ts';
import { SEED } from '../../../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../../../src/sandbox/identity-provider/index.ts';
import { push, pushTeam, USER } from '../../directory/pushes.ts';
import { grantOf, type Name, startWorld, type World } from '../../world.ts';
import {
  type Heading,
  type Recording,
  recordingFile,
  recordingText,
  MACHINE,
  SEAL_KEYS,
} from './recording.ts';

type Known = Pick<Heading, 'grants' | 'pending' | 'runner'>;

const QUERY = 'recsys-endpoint-query';
const PROMOTE = 'recsys-model-promote';
const DEPLOY = 'recsys-deployer';
const OPERATE = 'platform-cluster-operator';

describe('the store of this version', function () {
  this.timeout(60_000);

  it('is recorded', async () => {
    const world = await startWorld({ sealKeys: SEAL_KEYS, directory: true });
    try {
      const known = await live(world);
      await writeFile(recordingFile(migrations.length), recordingText(await recordingOf(world, known)));
    } finally {
      await world.close();
    }
  });
});

/** What happens on that morning. */
async function live(world: World): Promise<Known> {
  const client = (name: Name) => world.client(name);
  const approve = async (request: RequestView): Promise<string> =>
    grantOf(
      await client('lena').call('approveRequest', {
        params: { id: request.id },
        version: request.version,
        body: { comment: 'Go on' },
      }),
    );
  const deny = (request: RequestView) =>
    client('lena').call('denyRequest', {
      params: { id: request.id },
      version: request.version,
      body: { reason: 'Not on a Friday' },
    });

  await provision(world);
  for (const name of ['ana', 'omar', 'aude', 'lena'] as const) await client(name).call('getMe');

  const returned = grantOf(await world.ask('ana', QUERY, 30));
  await world.until(returned, 'active');
  await client('ana').call('returnGrant', { params: { id: returned }, idempotencyKey: 'give-it-back' });
  await world.until(returned, 'ended');
  await deny(await world.ask('ana', PROMOTE, 60));
  const withdrawn = await world.ask('ana', PROMOTE, 60);
  await client('ana').call('cancelRequest', { params: { id: withdrawn.id }, version: withdrawn.version });

  const active = grantOf(await world.ask('ana', QUERY, 60));
  const federated = await approve(await world.ask('ana', DEPLOY, 60));
  for (const id of [active, federated]) await world.until(id, 'active');
  await client('ana').call('issueCredential', { params: { id: federated }, idempotencyKey: 'a-lease' });

  const extended = grantOf(await world.ask('omar', OPERATE, 30));
  await world.until(extended, 'active');
  const extension = grantOf(
    await client('omar').call('extendGrant', { params: { id: extended }, body: { minutes: 30 } }),
  );
  const startsAt = new Date((await world.store.nowMs()) + 2 * HOUR_MS).toISOString();
  const scheduled = grantOf(
    await client('ana').call('createRequest', {
      body: { roleId: QUERY, purpose: 'The rehearsal', minutes: 60, startsAt },
    }),
  );
  const emergency = grantOf(
    await client('ana').call('createRequest', {
      body: {
        roleId: PROMOTE,
        purpose: 'The ranker is down',
        minutes: 30,
        ticket: 'INC-7',
        breakGlass: true,
      },
    }),
  );
  await world.until(emergency, 'active');
  await delegate(world);
  const runner = await takeOver(world, federated);
  const pending = await client('ana').call('extendGrant', {
    params: { id: federated },
    body: { minutes: 30 },
  });
  return {
    grants: { returned, active, federated, extended, extension, scheduled, emergency },
    pending: pending.id,
    runner,
  };
}

/** The lead goes on holiday. */
async function delegate(world: World): Promise<void> {
  const ben = { sub: 'ben', preferred_username: 'ben@example.com', name: 'Ben' };
  await world.client('lena', ben).call('getMe');
  const endsAt = new Date((await world.store.nowMs()) + DAY_MS).toISOString();
  await world.client('lena').call('createDelegation', {
    body: { delegate: 'ben@example.com', reason: 'On holiday', endsAt },
  });
}

/** A program works on its own from then on. */
async function takeOver(world: World, grantId: string): Promise<NonNullable<Heading['runner']>> {
  const ana = world.client('ana');
  const { code } = await ana.call('handOver', { params: { id: grantId }, body: { name: 'nightly' } });
  const { id, accessToken } = await ana.call('redeemRunner', { body: { code, machine: MACHINE } });
  return { id, accessToken };
}

/** The directory pushes the people and a team. */
async function provision(world: World): Promise<void> {
  for (const { sub, userName } of Object.values(PEOPLE)) {
    await push(world, '/Users', { schemas: [USER], userName, externalId: sub, active: true });
  }
  await pushTeam(world, 'ml-everybody');
}

async function recordingOf(world: World, known: Known): Promise<Recording> {
  const { store, databricks, identityProvider } = world;
  // What was done a moment ago is chained by then.
  await delay(2 * SECOND_MS);
  const { rows: tables } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = 'oam' and table_name <> 'migration' order by 1`.execute(store.db);
  const rows: Recording['rows'][number][] = [];
  for (const { name: table } of tables) {
    const { rows: found } = await sql<{ row: Record<string, unknown> }>`
      select to_jsonb(recorded) as row from ${sql.table(`oam.${table}`)} recorded`.execute(store.db);
    rows.push(...found.map(({ row }) => ({ table, row })));
  }
  const { prod, dev } = databricks.workspaces;
  return {
    heading: {
      migration: migrations.length,
      recordedAtMs: await store.nowMs(),
      places: { issuer: identityProvider.issuer, prod: prod.host, dev: dev.host },
      members: Object.fromEntries(
        Object.values(SEED.jitGroups).map(({ id }) => [id, [...databricks.members(id)]]),
      ),
      ...known,
    },
    rows,
  };
}
