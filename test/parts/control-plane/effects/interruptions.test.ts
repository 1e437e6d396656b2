import assert from 'node:assert/strict';

import { sql } from 'kysely';

import { OamError } from '../../../../src/domain/errors.ts';
import type { HttpRequest } from '../../../../src/protocol/transport.ts';
import { SEED } from '../../../../src/sandbox/databricks/index.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { withRole } from '../changed-role.ts';
import { pushPerson } from '../directory/pushes.ts';
import { grantOf, startWorld, type World } from '../world.ts';

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

describe('what changes after approval and before access is given', function () {
  this.timeout(30_000);
  const PROMOTE = 'recsys-model-promote';
  const PROMOTE_GROUP = SEED.jitGroups.modelPromote.id;

  let world: World;
  /** Calls to Databricks that come to nothing. */
  let lost: ((request: HttpRequest) => boolean) | undefined;
  beforeEach(async () => {
    lost = undefined;
    world = await startWorld({
      beforeExchange: (request) =>
        lost?.(request) === true
          ? Promise.reject(new OamError('unreachable', 'The server could not be reached.'))
          : Promise.resolve(),
    });
  });
  afterEach(() => world.close());

  const approve = async (): Promise<{ requestId: string; grantId: string }> => {
    const request = await world.ask('ana', PROMOTE);
    const approved = await world.client('lena').call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    return { requestId: request.id, grantId: grantOf(approved) };
  };

  const assertSentBack = async ({ requestId, grantId }: { requestId: string; grantId: string }) => {
    await world.until(grantId, 'failed');
    assert.deepEqual(world.databricks.members(PROMOTE_GROUP), []);
    const lena = world.client('lena');
    const again = await lena.call('getRequest', { params: { id: requestId } });
    assert.equal(again.state, 'pending');
    assert.equal(again.grantId, null);
    assert.deepEqual(again.approvals, []);
    const anew = await lena.call('approveRequest', {
      params: { id: requestId },
      version: again.version,
      body: {},
    });
    await world.until(grantOf(anew), 'active');
    assert.notEqual(anew.grantId, grantId);
  };

  it('a role that changed sends the request back: nothing is given on the old word', async () => {
    await holdGroup(world);
    const old = await approve();
    await world.restart(withRole(PROMOTE, { gives: 'Everything' }));
    await freeGroup(world);
    await assertSentBack(old);
  });

  it('also where its holder was being looked up when the control plane stopped', async () => {
    lost = (request) => request.url.includes('resolve-by-external-id');
    const old = await approve();
    await world.until(old.grantId, 'provisioning');
    await world.restart(withRole(PROMOTE, { gives: 'Everything' }));
    lost = undefined;
    await assertSentBack(old);
  });

  it('also where Databricks asked to wait with the write', async () => {
    world.databricks.tune({
      failNext: { status: 429, count: 1, path: /scim\/v2\/Groups/, method: 'PATCH', retryAfterSeconds: 2 },
    });
    const old = await approve();
    const throttled = () => world.databricks.requests().some((request) => request.status === 429);
    while (!throttled()) await new Promise((resolve) => setTimeout(resolve, 5));
    await world.restart(withRole(PROMOTE, { gives: 'Everything' }));
    await assertSentBack(old);
  });

  it('somebody who may not have the role any more does not get it', async () => {
    lost = (request) => request.url.includes('resolve-by-external-id');
    const { grantId } = await approve();
    await world.until(grantId, 'provisioning');
    const issuedAt = Math.floor((await world.store.nowMs()) / 1_000) + 2;
    await world.store.advance(2_000);
    await world.client('ana', { groups: ['ml-search'], iat: issuedAt }).call('listRoles');
    lost = undefined;
    const failed = await world.until(grantId, 'failed');
    assert.match(failed.trouble ?? '', /no longer allows/);
    assert.deepEqual(world.databricks.members(PROMOTE_GROUP), []);
  });

  it('a write that may have arrived is not judged again: what is there is used, or ended', async () => {
    let dropped = 0;
    world.databricks.tune({
      failNext: { status: 0, count: 1, path: /scim\/v2\/Groups/, method: 'PATCH', when: 'after' },
    });
    lost = (request) => request.method === 'PATCH' && dropped++ > 0;
    const { grantId } = await approve();
    while (dropped === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await world.restart(withRole(PROMOTE, { gives: 'Everything' }));
    lost = undefined;
    await world.until(grantId, 'active');
    assert.deepEqual(world.databricks.members(PROMOTE_GROUP), [SEED.users.ana.id]);
  });
});

describe('an approver who leaves after approval and before access is given', function () {
  this.timeout(20_000);

  it('sends the request back: nothing is given on a word that does not stand any more', async () => {
    await leavesBeforeAccess(await startWorld(), async (world) => {
      await world.store.advance(1_000);
      await world.client('lena', { groups: ['ml-recsys'] }).call('getMe');
    });
  });

  it('sends the request back also where only the directory knows that they left the company', async () => {
    await leavesBeforeAccess(await startWorld({ directory: true }), async (world) => {
      await pushPerson(world, 'lena', { active: false });
    });
  });
});

describe('somebody who leaves while their request is on its way', function () {
  this.timeout(20_000);

  it('is given nothing, though it was let in and committed to', async () => {
    const world = await startWorld({ directory: true });
    try {
      await holdGroup(world);
      const id = grantOf(await world.ask('ana', ROLE));
      // As it is where the directory's word committed between the sender's admission and the grant.
      await sql`insert into oam.directory_user
        (id, user_name, external_id, active, attributes, version, created_at, modified_at)
        values (gen_random_uuid(), ${PEOPLE.ana.userName}, ${PEOPLE.ana.sub}, false, '{}', 1, oam.now(), oam.now())`.execute(
        world.store.db,
      );
      await freeGroup(world);
      const { trouble } = await world.until(id, 'failed');
      assert.match(trouble ?? '', /not active any more/);
      assert.deepEqual(world.databricks.members(GROUP), []);
    } finally {
      await world.close();
    }
  });
});

/** Lena approves, and is no approver any more when access is about to be given. */
async function leavesBeforeAccess(world: World, leaves: (world: World) => Promise<void>): Promise<void> {
  try {
    const request = await world.ask('ana', 'recsys-model-promote');
    await holdGroup(world);
    const approved = await world.client('lena').call('approveRequest', {
      params: { id: request.id },
      version: request.version,
      body: {},
    });
    await leaves(world);
    await freeGroup(world);
    await world.until(grantOf(approved), 'failed');
    assert.deepEqual(world.databricks.members(SEED.jitGroups.modelPromote.id), []);
    const again = await world.client('ana').call('getRequest', { params: { id: request.id } });
    assert.equal(again.state, 'pending');
    assert.deepEqual(again.approvals, []);
    assert.equal(again.because[0], 'Somebody who had approved may not approve any more.');
  } finally {
    await world.close();
  }
}

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
