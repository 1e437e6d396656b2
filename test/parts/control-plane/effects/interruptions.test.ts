import assert from 'node:assert/strict';

import { sql } from 'kysely';

import type { HttpRequest } from '../../../../src/protocol/transport.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { grantOf, startWorld, type World } from '../world.ts';
import { withRole } from '../changed-role.ts';

const ROLE = 'recsys-endpoint-query';
const GROUP = SEED.jitGroups.endpointQuery.id;

describe('an access that is returned in the middle of being given', function () {
  this.timeout(20_000);

  const MOMENTS: readonly (readonly [string, (request: HttpRequest) => boolean])[] = [
    ['while its holder is looked up', (request) => request.url.includes('resolve-by-external-id')],
    ['while the membership is written', (request) => request.method === 'PATCH'],
    [
      'while the membership is read',
      (request) => request.method === 'GET' && request.url.includes(`/Groups/${GROUP}`),
    ],
  ];
  for (const [moment, isMoment] of MOMENTS) {
    it(`${moment}, leaves nothing behind`, async () => {
      let armed: string | undefined;
      const world: World = await startWorld({
        beforeExchange: async (request) => {
          if (armed === undefined || !isMoment(request)) return;
          const id = armed;
          armed = undefined;
          await world.client('ana').call('returnGrant', { params: { id } });
        },
      });
      try {
        await holdGroup(world);
        const id = grantOf(await world.ask('ana', ROLE));
        armed = id;
        await freeGroup(world);
        const ended = await world.until(id, 'ended');
        assert.equal(armed, undefined, 'the moment never came');
        assert.equal(ended.activatedAt, null);
        assert.deepEqual(world.databricks.members(GROUP), []);
      } finally {
        await world.close();
      }
    });
  }
});

describe('a role that changes after approval and before access is given', function () {
  this.timeout(20_000);

  it('sends the request back: nothing is given on the old word', async () => {
    const world = await startWorld();
    try {
      const group = SEED.jitGroups.modelPromote.id;
      const lena = world.client('lena');
      const request = await world.ask('ana', 'recsys-model-promote');
      await holdGroup(world);
      const approved = await lena.call('approveRequest', {
        params: { id: request.id },
        version: request.version,
        body: {},
      });
      const first = grantOf(approved);
      await world.restart(withRole('recsys-model-promote', { gives: 'Everything' }));
      await freeGroup(world);
      await world.until(first, 'failed');
      assert.deepEqual(world.databricks.members(group), []);
      const again = await lena.call('getRequest', { params: { id: request.id } });
      assert.equal(again.state, 'pending');
      assert.equal(again.grantId, null);
      assert.deepEqual(again.approvals, []);
      const anew = await lena.call('approveRequest', {
        params: { id: request.id },
        version: again.version,
        body: {},
      });
      await world.until(grantOf(anew), 'active');
      assert.notEqual(anew.grantId, first);
    } finally {
      await world.close();
    }
  });
});

describe('an approver who leaves after approval and before access is given', function () {
  this.timeout(20_000);

  it('sends the request back: nothing is given on a word that does not stand any more', async () => {
    const world = await startWorld();
    try {
      const lena = world.client('lena');
      const request = await world.ask('ana', 'recsys-model-promote');
      await holdGroup(world);
      const approved = await lena.call('approveRequest', {
        params: { id: request.id },
        version: request.version,
        body: {},
      });
      await world.store.advance(1_000);
      await world.client('lena', { groups: ['ml-recsys'] }).call('getMe');
      await freeGroup(world);
      await world.until(grantOf(approved), 'failed');
      assert.deepEqual(world.databricks.members(SEED.jitGroups.modelPromote.id), []);
      const again = await world.client('ana').call('getRequest', { params: { id: request.id } });
      assert.equal(again.state, 'pending');
      assert.deepEqual(again.approvals, []);
    } finally {
      await world.close();
    }
  });
});

/** Waits until the groups are adopted and idle, then keeps them from the sweeper as another replica would. */
async function holdGroup(world: World): Promise<void> {
  for (;;) {
    const { numAffectedRows } = await sql`
      update oam.jit_group set lease_until = oam.now() + interval '1 hour', lease_holder = gen_random_uuid()
      where adoption = 'adopted' and lease_until is null`.execute(world.store.db);
    const { rows } = await sql<{ open: number }>`
      select count(*)::int as open from oam.jit_group
      where lease_until is null or lease_until < oam.now() + interval '1 minute'`.execute(world.store.db);
    if (rows[0]?.open === 0) return;
    await new Promise((resolve) => setTimeout(resolve, Number(numAffectedRows ?? 0n) === 0 ? 10 : 1));
  }
}

async function freeGroup(world: World): Promise<void> {
  await sql`update oam.jit_group set lease_until = null, lease_holder = null`.execute(world.store.db);
}
