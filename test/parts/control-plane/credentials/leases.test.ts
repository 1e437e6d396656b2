import assert from 'node:assert/strict';

import { MINUTE_MS } from '../../../../src/domain/time.ts';
import type { LeaseView } from '../../../../src/protocol/leases.ts';
import { type Name, refused, startWorld, type World } from '../world.ts';
import { granted } from './granted.ts';

describe('the leases of a grant', function () {
  this.timeout(30_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());

  const issue = (id: string, idempotencyKey: string) =>
    world.client('ana').call('issueCredential', { params: { id }, idempotencyKey });

  const leases = async (id: string, as: Name = 'ana'): Promise<LeaseView[]> =>
    (await world.client(as).call('listLeases', { params: { id } })).items;

  const statesByLease = async (id: string): Promise<Record<string, string>> =>
    Object.fromEntries((await leases(id)).map((lease) => [lease.id, lease.state]));

  it('are listed for the holder, the leads of the team and auditors, and are pages', async () => {
    const { id } = await granted(world, 'ana', 'recsys-deployer', 60);
    const one = await issue(id, 'one');
    const two = await issue(id, 'two');
    assert.equal((await issue(id, 'one')).leaseId, one.leaseId);
    const all = await leases(id);
    assert.deepEqual(
      all.map(({ id: lease, state, renewals }) => [lease, state, renewals]),
      [
        [two.leaseId, 'issued', 0],
        [one.leaseId, 'renewed', 1],
      ],
    );
    assert.deepEqual(await leases(id, 'lena'), all);
    assert.deepEqual(await leases(id, 'aude'), all);
    await refused(leases(id, 'omar'), 'not_found');
    assert.doesNotMatch(JSON.stringify(all), /eyJ/);

    const lena = world.client('lena');
    const first = await lena.call('listLeases', { params: { id }, query: { limit: 1 } });
    assert.ok(first.nextCursor);
    const rest = await lena.call('listLeases', {
      params: { id },
      query: { limit: 1, cursor: first.nextCursor },
    });
    assert.deepEqual([...first.items, ...rest.items], all);
    assert.equal(rest.nextCursor, null);

    await world.client('ana').call('returnGrant', { params: { id } });
    await world.until(id, 'ended');
  });

  it('expire, are renewed while the grant lives, and tell what outlives it', async () => {
    const { id } = await granted(world, 'ana', 'recsys-deployer', 60);
    const slept = await issue(id, 'slept');
    const forgotten = await issue(id, 'forgotten');
    await world.advance(16 * MINUTE_MS);
    assert.deepEqual(await statesByLease(id), {
      [slept.leaseId]: 'expired',
      [forgotten.leaseId]: 'expired',
    });
    const awake = await issue(id, 'slept');
    assert.equal(awake.leaseId, slept.leaseId);
    await world.client('ana').call('returnGrant', { params: { id } });
    await world.until(id, 'ended');
    assert.deepEqual(await statesByLease(id), {
      [slept.leaseId]: 'outlives',
      [forgotten.leaseId]: 'expired',
    });
    const outliving = (await leases(id)).find((lease) => lease.id === slept.leaseId);
    assert.equal(outliving?.outlives?.what, 'tokenOnly');
    // The lease is what was committed to; Databricks counts the token's own life in whole seconds from its making.
    const laterMs = Date.parse(outliving.outlives.until) - Date.parse(awake.expiresAt);
    assert.ok(laterMs >= 0 && laterMs < 2_000, `${laterMs} ms`);
    await refused(issue(id, 'slept'), 'grant_not_active');
  });

  it('belong to one grant: a key of another is refused', async () => {
    const first = await granted(world, 'ana', 'recsys-deployer', 10);
    await issue(first.id, 'of-the-first');
    await world.client('ana').call('returnGrant', { params: { id: first.id } });
    await world.until(first.id, 'ended');
    const second = await granted(world, 'ana', 'recsys-deployer', 10);
    await refused(issue(second.id, 'of-the-first'), 'idempotency_key_reused');
  });
});
