import assert from 'node:assert/strict';

import { MINUTE_MS } from '../../../../src/domain/time.ts';
import type { AuditFilter } from '../../../../src/protocol/audit.ts';
import { PEOPLE } from '../../../../src/sandbox/identity-provider/index.ts';
import { grantOf, refused, startWorld, type World } from '../world.ts';

describe('reading the audit trail', function () {
  this.timeout(30_000);
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.until(grantOf(await world.ask('ana', 'recsys-endpoint-query')), 'active');
    await world.ask('omar', 'platform-cluster-operator');
  });
  after(() => world.close());

  const read = async (filter: AuditFilter & { cursor?: string; limit?: number }) =>
    world.client('aude').call('listAudit', { query: { limit: 200, ...filter } });

  /** Rows get their place in the chain while one reads. */
  const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

  it('gives the rows that meet all that is asked', async () => {
    const all = (await read({})).items;
    const [created] = (await read({ event: 'request.created', actor: PEOPLE.ana.sub })).items;
    assert.ok(created);
    assert.equal(created.roleId, 'recsys-endpoint-query');
    const byName = (await read({ actor: PEOPLE.ana.userName, event: 'request.created' })).items;
    assert.deepEqual(idsOf(byName), [created.id]);
    const ofRequest = (await read({ requestId: created.requestId ?? '' })).items;
    assert.deepEqual(idsOf(ofRequest), idsOf(all.filter((row) => row.requestId === created.requestId)));
    assert.ok(ofRequest.length >= 5);
    const ofRole = (await read({ roleId: 'platform-cluster-operator' })).items;
    assert.ok(ofRole.length > 0 && ofRole.every((row) => row.roleId === 'platform-cluster-operator'));
    const grants = (await read({ event: 'grant.*', grantId: ofRequest[0]?.grantId ?? '' })).items;
    assert.ok(grants.length >= 3 && grants.every((row) => row.event.startsWith('grant.')));
    const { at } = created;
    const since = (await read({ from: at, event: 'request.*' })).items;
    assert.ok(since.some((row) => row.id === created.id));
    assert.ok(!(await read({ to: at, event: 'request.*' })).items.some((row) => row.id === created.id));
    assert.deepEqual((await read({ grantId: 'nonsense' })).items, []);
  });

  it('turns pages under a filter, each row once', async () => {
    const whole = (await read({ event: 'grant.*' })).items.map((row) => row.id);
    const turned: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof read>> = await read({
        event: 'grant.*',
        limit: 2,
        ...(cursor !== '' && { cursor }),
      });
      turned.push(...page.items.map((row) => row.id));
      cursor = page.nextCursor;
    }
    assert.deepEqual(turned, whole);
  });

  it('is itself a row: one for each reader and question, however many pages, and again after a while', async () => {
    const readings = async () =>
      (await read({ event: 'audit.read', limit: 200 })).items.filter(
        (row) => (row.detail['query'] as { roleId?: string }).roleId === 'counted',
      );
    for (let page = 0; page < 4; page += 1) await read({ roleId: 'counted', limit: 1 + page });
    assert.equal((await readings()).length, 1);
    assert.equal((await readings())[0]?.actor?.sub, PEOPLE.aude.sub);
    await read({ roleId: 'counted', event: 'request.created' });
    assert.equal((await readings()).length, 2);
    await world.store.advance(16 * MINUTE_MS);
    await read({ roleId: 'counted' });
    assert.equal((await readings()).length, 3);
  });

  it('is refused to others, on the record', async () => {
    await refused(world.client('lena').call('listAudit'), 'not_allowed');
    const { items } = await read({ event: 'audit_read.refused' });
    assert.equal(items[0]?.actor?.sub, PEOPLE.lena.sub);
    assert.equal(items[0]?.detail['policyVersion'], world.policy.hash);
    for (const bad of [{ event: 'Grant' }, { from: 'yesterday' }, { actor: '' }]) {
      await refused(read(bad), 'bad_request');
    }
  });
});
