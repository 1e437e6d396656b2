import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { Webhook } from 'standardwebhooks';

import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../../src/domain/time.ts';
import { grantOf } from '../world.ts';
import { cardOf, SECRET, SlackMessage } from './chat.ts';
import {
  HOOK,
  noticeStage,
  noticesTo,
  OPS,
  OTHER,
  ROLE,
  SLACK,
  TEAMS,
  told,
  types,
  until,
} from './notice-stage.ts';

describe('notices', function () {
  this.timeout(60_000);
  const stage = noticeStage();
  const { metric, settled, start } = stage;

  it("tell a team's channels that a request waits, and then that it is handled, in each format", async () => {
    const world = await start();
    const request = await world.ask('ana', ROLE);
    await settled();
    const [slack] = stage.chat.taken(SLACK).map(({ body }) => SlackMessage.parse(JSON.parse(body)));
    const texts = JSON.stringify(slack);
    for (const part of ['Ana Silva', 'Look into the drop in clicks', '5 minutes', 'Lapses: 20']) {
      assert.ok(texts.includes(part), `${part} in ${texts}`);
    }
    const card = cardOf(stage.chat.taken(TEAMS)[0]?.body ?? '');
    assert.match(JSON.stringify(card.toJSON()), /Look into the drop in clicks/);
    const [hook] = told(stage.chat, HOOK);
    assert.deepEqual(
      [hook?.type, hook?.data.requestId, hook?.data.team],
      ['request_waiting', request.id, 'recsys'],
    );
    const { body = '', headers } = stage.chat.taken(HOOK)[0] ?? {};
    assert.ok(new Webhook(SECRET).verify(body, headers as Record<string, string>));
    // Each channel has a link of its own.
    const links = [slack?.blocks.at(-1), hook?.data.link, card.toJSON()].map(
      (part) => /nonce=([\w-]{43})/.exec(JSON.stringify(part))?.[1],
    );
    assert.equal(new Set(links).size, 3);

    const lena = world.client('lena');
    await lena.call('approveRequest', { params: { id: request.id }, version: request.version, body: {} });
    await settled();
    assert.deepEqual(types(stage.chat, HOOK), ['request_waiting', 'request_closed']);
    assert.equal(told(stage.chat, HOOK)[1]?.data.outcome?.by, 'Lena Fischer');
    assert.match(stage.chat.taken(SLACK)[1]?.body ?? '', /Already handled: approved by Lena Fischer/);
    assert.equal(told(stage.chat, HOOK)[1]?.data.link, undefined);
    assert.equal(stage.chat.taken(TEAMS).length, 2);
    // No other team's channel, nor operations', hears of it.
    assert.deepEqual([types(stage.chat, OTHER), types(stage.chat, OPS)], [[], []]);
    const { items } = await world.client('aude').call('listAudit', { query: { requestId: request.id } });
    assert.equal(items.filter(({ event }) => event === 'notice.sent').length, 6);
  });

  it('tell nobody of what policy grants at once, nor of what is over before anybody could be told', async () => {
    stage.chat.answers(HOOK, 'hang');
    const world = await start({ notices: noticesTo(stage.chat, { giveUpHours: 1 }) });
    await world.ask('ana', 'recsys-endpoint-query');
    await settled();
    assert.equal(stage.chat.came.length, 0);
  });

  it('remind once of a request that lapses soon, and tell that it lapsed', async () => {
    const world = await start();
    await world.ask('ana', ROLE);
    await settled();
    await world.advance(23.5 * HOUR_MS);
    await until(
      () => types(stage.chat, HOOK).length === 2,
      () => types(stage.chat, HOOK).join() + stage.lines.slice(-8).join('\n'),
    );
    await world.advance(5 * MINUTE_MS);
    await settled();
    assert.deepEqual(types(stage.chat, HOOK), ['request_waiting', 'request_lapsing']);
    await world.advance(HOUR_MS);
    await until(() => types(stage.chat, HOOK).length === 3 && stage.chat.taken(SLACK).length === 3);
    assert.deepEqual(types(stage.chat, HOOK), ['request_waiting', 'request_lapsing', 'request_closed']);
    assert.equal(told(stage.chat, HOOK)[2]?.data.outcome?.state, 'lapsed');
    assert.match(stage.chat.taken(SLACK)[2]?.body ?? '', /lapsed, nobody answered in time/);
  });

  it('are loud about an emergency, also to operations, and tell when it was reviewed', async () => {
    const world = await start();
    const request = await world.client('ana').call('createRequest', {
      body: { roleId: ROLE, purpose: 'The ranker is wrong', minutes: 30, ticket: 'INC-7', breakGlass: true },
    });
    await settled();
    assert.deepEqual([types(stage.chat, HOOK), types(stage.chat, OPS)], [['break_glass'], ['break_glass']]);
    const body = stage.chat.taken(SLACK)[0]?.body ?? '';
    assert.match(body, /<!here>/);
    assert.match(body, /EMERGENCY ACCESS, taken without approval: .* by Ana Silva/);
    await world.until(grantOf(request), 'active');
    await world.client('lena').call('reviewGrant', {
      params: { id: grantOf(request) },
      body: { verdict: 'ok', comment: 'Agreed on the phone' },
    });
    await settled();
    assert.deepEqual(types(stage.chat, OPS), ['break_glass', 'break_glass_reviewed']);
    assert.match(
      stage.chat.taken(SLACK)[1]?.body ?? '',
      /Already reviewed by Lena Fischer, found to be in order/,
    );
  });

  it('tell operations, and nobody else, that access cannot be removed', async () => {
    let broken = false;
    const world = await start({
      beforeExchange: ({ method, url }) =>
        broken && method === 'PATCH' && url.includes('/scim/')
          ? Promise.reject(new Error('Databricks is away'))
          : Promise.resolve(),
    });
    const id = grantOf(await world.ask('ana', 'recsys-endpoint-query'));
    await world.until(id, 'active');
    broken = true;
    await world.client('ana').call('returnGrant', { params: { id } });
    while (types(stage.chat, OPS).length === 0) {
      await world.advance(30 * SECOND_MS);
      await delay(100);
    }
    assert.equal(told(stage.chat, OPS)[0]?.type, 'revoke_stuck');
    assert.equal(told(stage.chat, OPS)[0]?.data.grantId, id);
    assert.equal(told(stage.chat, OPS)[0]?.data.link, undefined);
    assert.deepEqual(types(stage.chat, HOOK), []);
    broken = false;
    await until(async () => {
      await world.advance(30 * SECOND_MS);
      return (await world.client('aude').call('getGrant', { params: { id } })).state === 'ended';
    });
    assert.deepEqual(types(stage.chat, OPS), ['revoke_stuck']);
  });

  it('carry what people wrote as text and nothing else, and never what opens a door', async () => {
    const purpose = [
      'line one\r\n*APPROVED* by <!channel> <@U123> <https://evil.example|here> & `code`',
      '[click](https://evil.example) **bold** {{DATE(2017-02-14T06:08:39Z,SHORT)}} <at>Lena</at>',
      '\u202egpj.exe\u202c \u200b<script>alert(1)</script> ' + '𝒳'.repeat(180),
    ].join('\n');
    const world = await start();
    const request = await world.client('ana').call('createRequest', {
      body: { roleId: ROLE, purpose, minutes: 5, ticket: '<!here>\r\nX: y' },
    });
    await settled();
    const slack = stage.chat.taken(SLACK)[0]?.body ?? '';
    const { blocks } = SlackMessage.parse(JSON.parse(slack));
    assert.doesNotMatch(slack, /<!|<@|<https|\\r|\\n|\u202e|\u200b/);
    const texts = blocks.flatMap((block) => (block.type === 'section' ? [block.text] : []));
    assert.ok(texts.every(({ type }) => type === 'plain_text'));
    const said = texts.find(({ text }) => text.startsWith('Purpose:'))?.text ?? '';
    assert.match(said, /^Purpose: line one \*APPROVED\* by &lt;!channel&gt; .*…$/u);
    const card = stage.chat.taken(TEAMS)[0]?.body ?? '';
    assert.doesNotMatch(card, /"TextBlock"|"FactSet"|\{\{DATE/);
    cardOf(card);
    // A program gets all of it, as it is.
    assert.equal(told(stage.chat, HOOK)[0]?.data.purpose, request.purpose);

    stage.chat.answers(HOOK, {
      status: 302,
      headers: { location: `${stage.chat.origin}/x?sig=the-secret-part-of-slack` },
    });
    stage.chat.answers(SLACK, { status: 500, body: 'the-secret-part-of-slack' });
    const { id, version } = request;
    await world.client('lena').call('denyRequest', { params: { id }, version, body: { reason: 'No' } });
    await until(async () => (await metric('oam_notices_in_trouble')) === 2);
    const kept = JSON.stringify([
      stage.lines,
      await world.store.db.selectFrom('audit').selectAll().execute(),
      await world.store.db.selectFrom('notice').selectAll().execute(),
      (await world.http({ method: 'GET', path: '/metrics' })).text,
    ]);
    for (const secret of ['the-secret-part', SECRET.slice(6)]) assert.ok(!kept.includes(secret), secret);
    const rows = await world.store.db.selectFrom('notice').select(['state', 'content']).execute();
    assert.ok(rows.every(({ state, content }) => state === 'due' || content === null));
  });
});
