import assert from 'node:assert/strict';

import { HOUR_MS } from '../../../../src/domain/time.ts';
import type { BackgroundView } from '../../../../src/protocol/background.ts';
import { BACKGROUND_DAYS } from '../../../../src/protocol/limits.ts';
import { grantOf, type Name, refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-model-promote';

describe('the background of a request', function () {
  this.timeout(30_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  const background = (id: string, name: Name = 'lena'): Promise<BackgroundView> =>
    world.client(name).call('getBackground', { params: { id } });

  const decide = async (operation: 'approveRequest' | 'denyRequest', id: string): Promise<void> => {
    const lena = world.client('lena');
    const { version } = await lena.call('getRequest', { params: { id } });
    if (operation === 'approveRequest') await lena.call(operation, { params: { id }, version, body: {} });
    else await lena.call(operation, { params: { id }, version, body: { reason: 'Not this week' } });
  };

  it('says who asks, and what became of what they asked before', async () => {
    await decide('denyRequest', (await world.ask('ana', ROLE)).id);
    const approved = await world.ask('ana', ROLE);
    await decide('approveRequest', approved.id);
    const first =
      (await world.client('ana').call('getRequest', { params: { id: approved.id } })).grantId ?? '';
    await world.until(first, 'active');
    await world.client('ana').call('returnGrant', { params: { id: first } });
    await world.until(first, 'ended');
    const emergency = await world.client('ana').call('createRequest', {
      body: {
        ...{ roleId: ROLE, purpose: 'The ranker answers nonsense', minutes: 5 },
        ...{ ticket: 'INC-7', breakGlass: true },
      },
    });
    await world.client('ana').call('returnGrant', { params: { id: grantOf(emergency) } });
    await world.until(grantOf(emergency), 'ended');

    const asked = await world.ask('ana', ROLE);
    const seen = await background(asked.id);
    assert.deepEqual(
      { ...seen.requester, seenAt: typeof seen.requester.seenAt },
      { duty: 'data-scientist', team: 'recsys', standing: 'member', seenAt: 'string', fresh: true },
    );
    assert.deepEqual(seen.like, { open: 0, approved: 2, denied: 1, other: 0 });
    assert.deepEqual(
      seen.grants.map(({ id, state, endReason }) => [id, state, endReason]),
      [
        [grantOf(emergency), 'ended', 'returned'],
        [first, 'ended', 'returned'],
      ],
    );
    assert.deepEqual(
      seen.denials.map(({ by, reason }) => [by?.userName, reason]),
      [['lena.fischer@example.com', 'Not this week']],
    );
    assert.deepEqual(seen.breakGlass, { pending: 1, ok: 0, misuse: 0 });
  });

  it('is told to those who see the request, and to nobody else', async () => {
    const { id } = await world.ask('ana', ROLE);
    await background(id);
    await background(id, 'ana');
    await background(id, 'aude');
    await refused(background(id, 'omar'), 'not_found');
    await refused(background('nonsense'), 'not_found');
    await refused(background('00000000-0000-4000-8000-000000000000'), 'not_found');
  });

  it('tells a team nothing of what somebody did in another one', async () => {
    await world.until(grantOf(await world.ask('ana', 'recsys-endpoint-query')), 'active');
    await decide('denyRequest', (await world.ask('ana', ROLE)).id);
    // Ana goes over to the other team.
    await world.advance(2_000);
    const asked = await world
      .client('ana', { groups: ['ml-platform'], duty: 'ops-engineer' })
      .call('createRequest', {
        body: { roleId: 'platform-cluster-operator', purpose: 'Help the other team out', minutes: 5 },
      });
    const lead = world.client('omar', { groups: ['ml-platform', 'ml-platform-leads'], duty: 'lead' });
    const seen = await lead.call('getBackground', { params: { id: asked.id } });
    assert.deepEqual([seen.requester.team, seen.requester.standing], ['platform', 'member']);
    assert.deepEqual(
      seen.grants.map(({ id }) => id),
      [asked.grantId],
    );
    assert.deepEqual(seen.denials, []);
    assert.deepEqual(seen.breakGlass, { pending: 0, ok: 0, misuse: 0 });
    assert.doesNotMatch(JSON.stringify(seen), /recsys/);
  });

  it('says where a yes would wait for the requester, and forgets what is long past', async () => {
    await decide('denyRequest', (await world.ask('ana', ROLE)).id);
    const { id } = await world.ask('ana', ROLE);
    await world.advance(2 * HOUR_MS);
    assert.equal((await background(id)).requester.fresh, false);
    await world.client('ana').call('cancelRequest', { params: { id } });
    await world.advance(BACKGROUND_DAYS * 24 * HOUR_MS);
    const late = await world.ask('ana', ROLE);
    const seen = await background(late.id);
    assert.deepEqual([seen.denials, seen.requester.fresh], [[], true]);
  });
});
