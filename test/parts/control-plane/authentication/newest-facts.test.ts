import assert from 'node:assert/strict';

import type { ControlPlaneClient } from '../../../../src/protocol/client.ts';
import { type Name, refused, startWorld, type World } from '../world.ts';

const ROLE = 'recsys-model-promote';

describe('what the identity provider said last', function () {
  this.timeout(20_000);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  /** Somebody with a token that was issued so many seconds from now, good for another ten minutes. */
  const issued = async (
    name: Name,
    seconds: number,
    claims: Record<string, unknown> = {},
  ): Promise<ControlPlaneClient> => {
    const now = Math.floor((await world.store.nowMs()) / 1_000);
    return world.client(name, { iat: now + seconds, exp: now + 600, ...claims });
  };

  it('holds against an older token that is still good: no role, no word, no team', async () => {
    const request = await world.ask('ana', ROLE);
    const old = await issued('lena', -60);
    assert.equal((await old.call('listRequests', { query: { scope: 'to_approve' } })).items.length, 1);

    // Lena gives the lead up, and signs in anew.
    const present = await issued('lena', 0, { groups: ['ml-recsys'] });
    assert.deepEqual((await present.call('getMe')).groups, ['ml-recsys']);

    assert.deepEqual((await old.call('getMe')).groups, ['ml-recsys']);
    assert.deepEqual((await old.call('getMe')).teams, [{ name: 'recsys', lead: false }]);
    assert.deepEqual((await old.call('listRequests', { query: { scope: 'to_approve' } })).items, []);
    await refused(
      old.call('approveRequest', { params: { id: request.id }, version: request.version, body: {} }),
      'not_found',
    );
    // And the older word has not been written over the newer one.
    assert.deepEqual((await present.call('getMe')).groups, ['ml-recsys']);
  });

  it('holds also where it takes nothing away, and whichever token comes first', async () => {
    const present = await issued('omar', 0, { groups: ['ml-recsys'], duty: 'data-scientist' });
    await present.call('getMe');
    const old = await issued('omar', -60);
    assert.deepEqual((await old.call('getMe')).groups, ['ml-recsys']);
    assert.equal((await old.call('getMe')).duty, 'data-scientist');
  });

  it('is not taken from a token that says it was issued an hour from now: it would hold for as long', async () => {
    await refused((await issued('ana', 3_600, { groups: ['ml-platform'] })).call('getMe'), 'not_signed_in');
    // Clocks that differ by a little are ordinary.
    assert.deepEqual((await (await issued('ana', 60)).call('getMe')).groups, ['ml-recsys']);
  });

  it('reaches a stream of events that was opened before', async () => {
    const token = await world.token('lena');
    const { nextCursor } = await world.client('lena').call('listEvents');
    const stream = await fetch(`${world.url}/api/v1/events?after=${nextCursor}`, {
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    });
    assert.ok(stream.body);
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (word: string): Promise<void> => {
      while (!text.includes(word)) {
        const { done, value } = await reader.read();
        assert.ok(!done, 'the stream ended');
        text += value;
      }
    };
    const before = await world.ask('ana', ROLE);
    await until(before.id);

    // From here on Lena leads the other team: what it does is what her stream has to tell.
    await (await issued('lena', 1, { groups: ['ml-platform-leads'] })).call('getMe');
    await world.client('ana').call('cancelRequest', { params: { id: before.id } });
    const { id } = await world.ask('omar', 'platform-cluster-operator');
    await until(id);
    await reader.cancel();
    assert.ok(!text.includes('request.cancelled'), 'a stream told of a team that its reader has left');
  });
});
