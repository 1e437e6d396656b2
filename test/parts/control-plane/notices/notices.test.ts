import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { Webhook } from 'standardwebhooks';
import * as z from 'zod/mini';

import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../../src/domain/time.ts';
import { grantOf, refused, startWorld, type World, type WorldOptions } from '../world.ts';
import { cardOf, type ChatServer, SECRET, SlackMessage, startChat, type Taken } from './chat.ts';

const ROLE = 'recsys-model-promote';
const SLACK = '/slack/T01/B02/the-secret-part-of-slack';
const TEAMS = '/teams/workflows/1/invoke?sig=the-secret-part-of-teams';
const HOOK = '/hook';
const OPS = '/hook/ops';
const OTHER = '/hook/platform';

const Told = z.object({
  type: z.string(),
  timestamp: z.iso.datetime(),
  data: z.looseObject({
    requestId: z.string(),
    grantId: z.optional(z.string()),
    link: z.optional(z.url()),
    purpose: z.string(),
    team: z.string(),
    outcome: z.optional(z.looseObject({ state: z.string(), by: z.optional(z.string()) })),
  }),
});

const told = (chat: ChatServer, path: string) =>
  chat.taken(path).map(({ body }) => Told.parse(JSON.parse(body)));
const types = (chat: ChatServer, path: string): string[] => told(chat, path).map(({ type }) => type);
const idsOf = (messages: readonly Taken[]): unknown[] => messages.map(({ headers }) => headers['webhook-id']);

async function until(what: () => boolean | Promise<boolean>, why: () => string = () => ''): Promise<void> {
  const start = performance.now();
  while (!(await what())) {
    if (performance.now() - start > 15_000) throw new Error(`It does not come to be. ${why()}`);
    await delay(20);
  }
}

function noticesTo(chat: ChatServer, more: Partial<NonNullable<WorldOptions['notices']>['settings']> = {}) {
  return {
    settings: {
      slack: [{ name: 'recsys-chat', url: 'env:SLACK' }],
      microsoftTeams: [{ name: 'recsys-teams', url: 'env:TEAMS' }],
      webhooks: [
        { name: 'recsys-hook', url: 'env:HOOK', secret: 'env:SECRET' },
        { name: 'platform-hook', url: 'env:OTHER', secret: 'env:SECRET' },
        { name: 'ops', url: 'env:OPS', secret: 'env:SECRET' },
      ],
      teams: { recsys: ['recsys-chat', 'recsys-teams', 'recsys-hook'], platform: ['platform-hook'] },
      operations: ['ops'],
      ...more,
    },
    environment: {
      SLACK: chat.origin + SLACK,
      TEAMS: chat.origin + TEAMS,
      HOOK: chat.origin + HOOK,
      OTHER: chat.origin + OTHER,
      OPS: chat.origin + OPS,
      SECRET,
    },
  };
}

describe('notices', function () {
  this.timeout(60_000);
  let chat: ChatServer;
  let world: World;
  const lines: string[] = [];
  const note = (message: string, fields?: object): void =>
    void lines.push(message + JSON.stringify(fields ?? {}));
  const start = async (options: WorldOptions = {}): Promise<void> => {
    world = await startWorld({
      notices: noticesTo(chat),
      logger: { debug: note, info: note, warn: note, error: note },
      ...options,
    });
  };
  beforeEach(async () => {
    chat = await startChat();
    lines.length = 0;
  });
  afterEach(async () => {
    await world.close();
    await chat[Symbol.asyncDispose]();
  });

  const linkOf = (url: string): { id: string; nonce: string } => {
    const { pathname, searchParams } = new URL(url);
    return { id: pathname.split('/').at(-1) ?? '', nonce: searchParams.get('nonce') ?? '' };
  };
  const settled = () => until(async () => (await causes()) === 0 && (await metric('oam_notices_due')) === 0);
  const metric = async (name: string): Promise<number> => {
    const { text } = await world.http({ method: 'GET', path: '/metrics' });
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  };
  const causes = async (): Promise<number> =>
    (await world.store.db.selectFrom('notice_cause').select('id').execute()).length;

  it("tell a team's channels that a request waits, and then that it is handled, in each format", async () => {
    await start();
    const request = await world.ask('ana', ROLE);
    await settled();
    const [slack] = chat.taken(SLACK).map(({ body }) => SlackMessage.parse(JSON.parse(body)));
    const texts = JSON.stringify(slack);
    for (const part of ['Ana Silva', 'Look into the drop in clicks', '5 minutes', 'Lapses: 20']) {
      assert.ok(texts.includes(part), `${part} in ${texts}`);
    }
    const card = cardOf(chat.taken(TEAMS)[0]?.body ?? '');
    assert.match(JSON.stringify(card.toJSON()), /Look into the drop in clicks/);
    const [hook] = told(chat, HOOK);
    assert.deepEqual(
      [hook?.type, hook?.data.requestId, hook?.data.team],
      ['request_waiting', request.id, 'recsys'],
    );
    const { body = '', headers } = chat.taken(HOOK)[0] ?? {};
    assert.ok(new Webhook(SECRET).verify(body, headers as Record<string, string>));
    // Each channel has a link of its own.
    const links = [slack?.blocks.at(-1), hook?.data.link, card.toJSON()].map(
      (part) => /nonce=([\w-]{43})/.exec(JSON.stringify(part))?.[1],
    );
    assert.equal(new Set(links).size, 3);

    const lena = world.client('lena');
    await lena.call('approveRequest', { params: { id: request.id }, version: request.version, body: {} });
    await settled();
    assert.deepEqual(types(chat, HOOK), ['request_waiting', 'request_closed']);
    assert.equal(told(chat, HOOK)[1]?.data.outcome?.by, 'Lena Fischer');
    assert.match(chat.taken(SLACK)[1]?.body ?? '', /Already handled: approved by Lena Fischer/);
    assert.equal(told(chat, HOOK)[1]?.data.link, undefined);
    assert.equal(chat.taken(TEAMS).length, 2);
    // No other team's channel, nor operations', hears of it.
    assert.deepEqual([types(chat, OTHER), types(chat, OPS)], [[], []]);
    const { items } = await world.client('aude').call('listAudit', { query: { requestId: request.id } });
    assert.equal(items.filter(({ event }) => event === 'notice.sent').length, 6);
  });

  it('tell nobody of what policy grants at once, nor of what is over before anybody could be told', async () => {
    chat.answers(HOOK, 'hang');
    await start({ notices: noticesTo(chat, { giveUpHours: 1 }) });
    await world.ask('ana', 'recsys-endpoint-query');
    await settled();
    assert.equal(chat.came.length, 0);
  });

  it('carry a link that opens the request once for each who may see it, and decides nothing', async () => {
    await start();
    const request = await world.ask('ana', ROLE);
    await settled();
    const { link = '' } = told(chat, HOOK)[0]?.data ?? {};
    const { id, nonce } = linkOf(link);
    assert.equal(id, request.id);
    const open = (name: 'ana' | 'lena' | 'omar', body = { nonce }, requestId = id) =>
      world.client(name).call('openLink', { params: { id: requestId }, body });

    // A previewer looks as often as it likes.
    const { pathname, search } = new URL(link);
    for (const method of ['GET', 'GET', 'GET'] as const) {
      const page = await world.http({ method, path: pathname + search });
      assert.equal(page.status, 200);
      assert.match(
        page.text,
        new RegExp(`href="vscode://databricks-ml-oam.databricks-ml-oam/request/${id}\\?nonce=`),
      );
      assert.match(page.headers['content-security-policy'] ?? '', /default-src 'none'/);
      assert.doesNotMatch(page.text, /Ana|clicks/);
    }
    for (const path of [
      `${pathname}?nonce=%22%3E%3Cscript%3E`,
      `/api/v1/open/x%22%3E?nonce=${nonce}`,
      pathname,
    ]) {
      const page = await world.http({ method: 'GET', path });
      assert.equal(page.status, 404);
      assert.doesNotMatch(page.text, /script|x"/);
    }

    await refused(open('omar'), 'not_found');
    const shown = await open('lena');
    assert.deepEqual([shown.id, shown.state, shown.version], [id, 'pending', request.version]);
    const problem = await refused(open('lena'), 'link_spent');
    assert.match(problem.detail, /opened this link before, or it is too old/);
    // Others open it for themselves; to be its requester's is to see it, and no more.
    assert.equal((await open('ana')).state, 'pending');
    await refused(open('lena', { nonce: randomBytes(32).toString('base64url') }), 'link_spent');
    await refused(open('lena', { nonce: 'short' }), 'bad_request');
    // Bound to its request.
    const other = await world.ask('ana', 'recsys-deployer');
    await refused(open('lena', { nonce }, other.id), 'link_spent');
    assert.equal((await world.client('lena').call('getRequest', { params: { id } })).approvals.length, 0);
    const { items } = await world.client('aude').call('listAudit', { query: { requestId: id } });
    assert.deepEqual(
      items
        .filter(({ event }) => event === 'request.link_opened')
        .map(({ actor }) => actor?.displayName)
        .sort(),
      ['Ana Silva', 'Lena Fischer'],
    );
    assert.ok(items.some(({ event }) => event === 'request_link.refused'));
    assert.ok(!JSON.stringify(items).includes(nonce));
  });

  it('do not open a request whose time is over', async () => {
    await start();
    const request = await world.ask('ana', ROLE);
    await settled();
    const { nonce } = linkOf(told(chat, HOOK)[0]?.data.link ?? '');
    await world.advance(25 * HOUR_MS);
    const open = world.client('lena').call('openLink', { params: { id: request.id }, body: { nonce } });
    await refused(open, 'link_spent');
  });

  it('are opened by one of many clicks at the same time', async () => {
    await start();
    const request = await world.ask('ana', ROLE);
    await settled();
    const { nonce } = linkOf(told(chat, HOOK)[0]?.data.link ?? '');
    const clicks = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        world.client('lena').call('openLink', { params: { id: request.id }, body: { nonce } }),
      ),
    );
    assert.equal(clicks.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  it('remind once of a request that lapses soon, and tell that it lapsed', async () => {
    await start();
    await world.ask('ana', ROLE);
    await settled();
    await world.advance(23.5 * HOUR_MS);
    await until(
      () => types(chat, HOOK).length === 2,
      () => types(chat, HOOK).join() + lines.slice(-8).join('\n'),
    );
    await world.advance(5 * MINUTE_MS);
    await settled();
    assert.deepEqual(types(chat, HOOK), ['request_waiting', 'request_lapsing']);
    await world.advance(HOUR_MS);
    await until(() => types(chat, HOOK).length === 3 && chat.taken(SLACK).length === 3);
    assert.deepEqual(types(chat, HOOK), ['request_waiting', 'request_lapsing', 'request_closed']);
    assert.equal(told(chat, HOOK)[2]?.data.outcome?.state, 'lapsed');
    assert.match(chat.taken(SLACK)[2]?.body ?? '', /lapsed, nobody answered in time/);
  });

  it('are loud about an emergency, also to operations, and tell when it was reviewed', async () => {
    await start();
    const request = await world.client('ana').call('createRequest', {
      body: { roleId: ROLE, purpose: 'The ranker is wrong', minutes: 30, ticket: 'INC-7', breakGlass: true },
    });
    await settled();
    assert.deepEqual([types(chat, HOOK), types(chat, OPS)], [['break_glass'], ['break_glass']]);
    const body = chat.taken(SLACK)[0]?.body ?? '';
    assert.match(body, /<!here>/);
    assert.match(body, /EMERGENCY ACCESS, taken without approval: .* by Ana Silva/);
    await world.until(grantOf(request), 'active');
    await world.client('lena').call('reviewGrant', {
      params: { id: grantOf(request) },
      body: { verdict: 'ok', comment: 'Agreed on the phone' },
    });
    await settled();
    assert.deepEqual(types(chat, OPS), ['break_glass', 'break_glass_reviewed']);
    assert.match(chat.taken(SLACK)[1]?.body ?? '', /Already reviewed by Lena Fischer, found to be in order/);
  });

  it('tell operations, and nobody else, that access cannot be removed', async () => {
    let broken = false;
    await start({
      beforeExchange: ({ method, url }) =>
        broken && method === 'PATCH' && url.includes('/scim/')
          ? Promise.reject(new Error('Databricks is away'))
          : Promise.resolve(),
    });
    const id = grantOf(await world.ask('ana', 'recsys-endpoint-query'));
    await world.until(id, 'active');
    broken = true;
    await world.client('ana').call('returnGrant', { params: { id } });
    while (types(chat, OPS).length === 0) {
      await world.advance(30 * SECOND_MS);
      await delay(100);
    }
    assert.equal(told(chat, OPS)[0]?.type, 'revoke_stuck');
    assert.equal(told(chat, OPS)[0]?.data.grantId, id);
    assert.equal(told(chat, OPS)[0]?.data.link, undefined);
    assert.deepEqual(types(chat, HOOK), []);
    broken = false;
    await until(async () => {
      await world.advance(30 * SECOND_MS);
      return (await world.client('aude').call('getGrant', { params: { id } })).state === 'ended';
    });
    assert.deepEqual(types(chat, OPS), ['revoke_stuck']);
  });

  it('arrive in the end where a receiver fails, loses its answer, redirects or shows a page; each always by one id', async () => {
    chat.answers(
      HOOK,
      { status: 500 },
      { status: 302, headers: { location: `${chat.origin}${OTHER}` } },
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' },
      'lost',
    );
    chat.answers(SLACK, { status: 200, body: 'no_service' });
    await start();
    await world.ask('ana', ROLE);
    await until(
      async () => {
        await world.advance(30 * SECOND_MS);
        return chat.taken(HOOK).length === 2 && chat.taken(SLACK).length === 1;
      },
      () => JSON.stringify(chat.came.map(({ path }) => path)),
    );
    const tries = chat.came.filter(({ path }) => path === HOOK);
    assert.equal(tries.length, 5);
    assert.equal(new Set(idsOf(tries)).size, 1);
    assert.equal(new Set(tries.map(({ body }) => body)).size, 1);
    assert.equal(new Set(tries.map(({ headers }) => headers['webhook-timestamp'])).size, 5);
    // A redirect is not followed.
    assert.deepEqual(
      chat.came.filter(({ path }) => path === OTHER),
      [],
    );
  });

  it('wait as long as a receiver asks, all of its channel and none of another', async () => {
    chat.answers(HOOK, { status: 429, headers: { 'retry-after': '120' } });
    await start();
    await world.ask('ana', ROLE);
    await until(() => chat.came.some(({ path }) => path === HOOK) && chat.taken(TEAMS).length === 1);
    await until(async () => (await metric('oam_notices_in_trouble')) === 1);
    await world.ask('ana', 'recsys-deployer');
    await until(() => chat.taken(TEAMS).length === 2);
    await world.advance(100 * SECOND_MS);
    await delay(300);
    assert.equal(chat.came.filter(({ path }) => path === HOOK).length, 2);
    await world.advance(30 * SECOND_MS);
    await settled();
    assert.equal(chat.taken(HOOK).length, 2);
  });

  it('hinder no request, approval or removal while their receivers hang or never end, and are given up on the record', async () => {
    for (const path of [SLACK, TEAMS, HOOK, OPS])
      chat.answers(path, ...Array.from({ length: 9 }, () => 'hang' as const));
    chat.answers(TEAMS, ...Array.from({ length: 9 }, () => 'drip' as const));
    await start();
    const request = await world.ask('ana', ROLE);
    await until(() => chat.came.length === 3);
    const approved = await world
      .client('lena')
      .call('approveRequest', { params: { id: request.id }, version: request.version, body: {} });
    const id = grantOf(approved);
    await world.until(id, 'active');
    await world.client('ana').call('returnGrant', { params: { id } });
    await world.until(id, 'ended');
    // None of them has been let go yet: the receivers hang still.
    assert.equal(chat.came.length, 3);
    await world.advance(25 * HOUR_MS);
    await until(async () => (await metric('oam_notices_due')) === 0);
    const { items } = await world.client('aude').call('listAudit', { query: { requestId: request.id } });
    const given = items.filter(({ event }) => event === 'notice.given_up');
    assert.ok(given.length >= 3, String(given.length));
    const { text } = await world.http({ method: 'GET', path: '/metrics' });
    assert.match(text, /^oam_notices_total\{channel="recsys-hook",outcome="given_up"\} \d/m);
  });

  it('are sent once by many replicas, in order for each request', async () => {
    await start();
    await using first = await world.addReplica();
    await using second = await world.addReplica();
    void first;
    const roles = [ROLE, 'recsys-deployer'];
    const requests = await Promise.all(roles.map((role) => world.ask('ana', role)));
    for (const { id, version } of requests) {
      await second.client('lena').call('denyRequest', { params: { id }, version, body: { reason: 'No' } });
    }
    await settled();
    const ids = idsOf(chat.taken(HOOK));
    assert.equal(new Set(ids).size, ids.length);
    for (const { id } of requests) {
      const kinds = told(chat, HOOK)
        .filter(({ data }) => data.requestId === id)
        .map(({ type }) => type);
      // Whoever held the first as the request was decided drops it; to the other that looks as if it may have been sent.
      const inOrder = ['request_waiting,request_closed', 'request_closed', ''];
      assert.ok(inOrder.includes(kinds.join()), kinds.join());
    }
  });

  it('go on where a control plane stopped in the middle of them', async () => {
    chat.answers(HOOK, 'hang');
    await start();
    await world.ask('ana', ROLE);
    await until(() => chat.came.some(({ path }) => path === HOOK));
    await world.restart();
    await settled();
    const tries = chat.came.filter(({ path }) => path === HOOK);
    assert.equal(new Set(idsOf(tries)).size, 1);
    assert.equal(chat.taken(HOOK).length, 1);
  });

  it('carry what people wrote as text and nothing else, and never what opens a door', async () => {
    const purpose = [
      'line one\r\n*APPROVED* by <!channel> <@U123> <https://evil.example|here> & `code`',
      '[click](https://evil.example) **bold** {{DATE(2017-02-14T06:08:39Z,SHORT)}} <at>Lena</at>',
      '\u202egpj.exe\u202c \u200b<script>alert(1)</script> ' + '𝒳'.repeat(180),
    ].join('\n');
    await start();
    const request = await world.client('ana').call('createRequest', {
      body: { roleId: ROLE, purpose, minutes: 5, ticket: '<!here>\r\nX: y' },
    });
    await settled();
    const slack = chat.taken(SLACK)[0]?.body ?? '';
    const { blocks } = SlackMessage.parse(JSON.parse(slack));
    assert.doesNotMatch(slack, /<!|<@|<https|\\r|\\n|\u202e|\u200b/);
    const texts = blocks.flatMap((block) => (block.type === 'section' ? [block.text] : []));
    assert.ok(texts.every(({ type }) => type === 'plain_text'));
    const said = texts.find(({ text }) => text.startsWith('Purpose:'))?.text ?? '';
    assert.match(said, /^Purpose: line one \*APPROVED\* by &lt;!channel&gt; .*…$/u);
    const card = chat.taken(TEAMS)[0]?.body ?? '';
    assert.doesNotMatch(card, /"TextBlock"|"FactSet"|\{\{DATE/);
    cardOf(card);
    // A program gets all of it, as it is.
    assert.equal(told(chat, HOOK)[0]?.data.purpose, request.purpose);

    chat.answers(HOOK, {
      status: 302,
      headers: { location: `${chat.origin}/x?sig=the-secret-part-of-slack` },
    });
    chat.answers(SLACK, { status: 500, body: 'the-secret-part-of-slack' });
    const { id, version } = request;
    await world.client('lena').call('denyRequest', { params: { id }, version, body: { reason: 'No' } });
    await until(async () => (await metric('oam_notices_in_trouble')) === 2);
    const kept = JSON.stringify([
      lines,
      await world.store.db.selectFrom('audit').selectAll().execute(),
      await world.store.db.selectFrom('notice').selectAll().execute(),
      (await world.http({ method: 'GET', path: '/metrics' })).text,
    ]);
    for (const secret of ['the-secret-part', SECRET.slice(6)]) assert.ok(!kept.includes(secret), secret);
    const rows = await world.store.db.selectFrom('notice').select(['state', 'content']).execute();
    assert.ok(rows.every(({ state, content }) => state === 'due' || content === null));
  });
});
