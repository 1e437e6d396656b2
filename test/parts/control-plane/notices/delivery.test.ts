import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { HOUR_MS, SECOND_MS } from '../../../../src/domain/time.ts';
import { grantOf } from '../world.ts';
import { HOOK, idsOf, noticeStage, OPS, OTHER, ROLE, SLACK, TEAMS, told, until } from './notice-stage.ts';

describe('notices', function () {
  this.timeout(60_000);
  const stage = noticeStage();
  const { metric, settled, start } = stage;

  it('arrive in the end where a receiver fails, loses its answer, redirects or shows a page; each always by one id', async () => {
    stage.chat.answers(
      HOOK,
      { status: 500 },
      { status: 302, headers: { location: `${stage.chat.origin}${OTHER}` } },
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' },
      'lost',
    );
    stage.chat.answers(SLACK, { status: 200, body: 'no_service' });
    const world = await start();
    await world.ask('ana', ROLE);
    await until(
      async () => {
        await world.advance(30 * SECOND_MS);
        return stage.chat.taken(HOOK).length === 2 && stage.chat.taken(SLACK).length === 1;
      },
      () => JSON.stringify(stage.chat.came.map(({ path }) => path)),
    );
    const tries = stage.chat.came.filter(({ path }) => path === HOOK);
    assert.equal(tries.length, 5);
    assert.equal(new Set(idsOf(tries)).size, 1);
    assert.equal(new Set(tries.map(({ body }) => body)).size, 1);
    assert.equal(new Set(tries.map(({ headers }) => headers['webhook-timestamp'])).size, 5);
    // A redirect is not followed.
    assert.deepEqual(
      stage.chat.came.filter(({ path }) => path === OTHER),
      [],
    );
  });

  it('wait as long as a receiver asks, all of its channel and none of another', async () => {
    stage.chat.answers(HOOK, { status: 429, headers: { 'retry-after': '120' } });
    const world = await start();
    await world.ask('ana', ROLE);
    await until(
      () => stage.chat.came.some(({ path }) => path === HOOK) && stage.chat.taken(TEAMS).length === 1,
    );
    await until(async () => (await metric('oam_notices_in_trouble')) === 1);
    await world.ask('ana', 'recsys-deployer');
    await until(() => stage.chat.taken(TEAMS).length === 2);
    await world.advance(100 * SECOND_MS);
    await delay(300);
    assert.equal(stage.chat.came.filter(({ path }) => path === HOOK).length, 2);
    await world.advance(30 * SECOND_MS);
    await settled();
    assert.equal(stage.chat.taken(HOOK).length, 2);
  });

  it('hinder no request, approval or removal while their receivers hang or never end, and are given up on the record', async () => {
    for (const path of [SLACK, TEAMS, HOOK, OPS])
      stage.chat.answers(path, ...Array.from({ length: 9 }, () => 'hang' as const));
    stage.chat.answers(TEAMS, ...Array.from({ length: 9 }, () => 'drip' as const));
    const world = await start();
    const request = await world.ask('ana', ROLE);
    await until(() => stage.chat.came.length === 3);
    const approved = await world
      .client('lena')
      .call('approveRequest', { params: { id: request.id }, version: request.version, body: {} });
    const id = grantOf(approved);
    await world.until(id, 'active');
    await world.client('ana').call('returnGrant', { params: { id } });
    await world.until(id, 'ended');
    // None of them has been let go yet: the receivers hang still.
    assert.equal(stage.chat.came.length, 3);
    await world.advance(25 * HOUR_MS);
    await until(async () => (await metric('oam_notices_due')) === 0);
    const { items } = await world.client('aude').call('listAudit', { query: { requestId: request.id } });
    const given = items.filter(({ event }) => event === 'notice.given_up');
    assert.ok(given.length >= 3, String(given.length));
    const { text } = await world.http({ method: 'GET', path: '/metrics' });
    assert.match(text, /^oam_notices_total\{channel="recsys-hook",outcome="given_up"\} \d/m);
  });

  it('are sent once, and on record later, where the trail cannot be written', async () => {
    stage.chat.answers(HOOK, { status: 500 });
    const world = await start();
    const request = await world.ask('ana', ROLE);
    await until(() => stage.chat.came.some(({ path }) => path === HOOK));
    await until(async () => (await metric('oam_notices_in_trouble')) === 1);
    await sql`create function oam.no_audit() returns trigger language plpgsql as
      $$ begin raise exception 'the trail is full'; end $$`.execute(world.store.db);
    await sql`create trigger no_audit before insert on oam.audit execute function oam.no_audit()`.execute(
      world.store.db,
    );
    await until(async () => {
      await world.advance(30 * SECOND_MS);
      return stage.chat.taken(HOOK).length > 0;
    });
    await settled();
    assert.equal(stage.chat.taken(HOOK).length, 1);
    await sql`drop trigger no_audit on oam.audit`.execute(world.store.db);
    await until(async () => {
      const query = { requestId: request.id, event: 'notice.sent' };
      const { items } = await world.client('aude').call('listAudit', { query });
      return items.some(({ detail }) => detail['channel'] === 'recsys-hook');
    });
  });

  it('are sent once by many replicas, in order for each request', async () => {
    const world = await start();
    await using first = await world.addReplica();
    await using second = await world.addReplica();
    void first;
    const roles = [ROLE, 'recsys-deployer'];
    const requests = await Promise.all(roles.map((role) => world.ask('ana', role)));
    for (const { id, version } of requests) {
      await second.client('lena').call('denyRequest', { params: { id }, version, body: { reason: 'No' } });
    }
    await settled();
    const ids = idsOf(stage.chat.taken(HOOK));
    assert.equal(new Set(ids).size, ids.length);
    for (const { id } of requests) {
      const kinds = told(stage.chat, HOOK)
        .filter(({ data }) => data.requestId === id)
        .map(({ type }) => type);
      // Whoever held the first as the request was decided drops it; to the other that looks as if it may have been sent.
      const inOrder = ['request_waiting,request_closed', 'request_closed', ''];
      assert.ok(inOrder.includes(kinds.join()), kinds.join());
    }
  });

  it('go on where a control plane stopped in the middle of them', async () => {
    stage.chat.answers(HOOK, 'hang');
    const world = await start();
    await world.ask('ana', ROLE);
    await until(() => stage.chat.came.some(({ path }) => path === HOOK));
    await world.restart();
    await settled();
    const tries = stage.chat.came.filter(({ path }) => path === HOOK);
    assert.equal(new Set(idsOf(tries)).size, 1);
    assert.equal(stage.chat.taken(HOOK).length, 1);
  });
});
