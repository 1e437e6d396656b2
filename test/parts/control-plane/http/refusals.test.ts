import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

import { Problem, type ProblemCode } from '../../../../src/protocol/problem.ts';
import { startWorld, type World } from '../world.ts';

/** An answer as it came over the wire. */
interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

describe('whatever is wrong with a request, the answer', function () {
  this.timeout(20_000);
  let world: World;
  let bearer: string;
  before(async () => {
    world = await startWorld();
    bearer = `Authorization: Bearer ${await world.token('ana')}`;
  });
  after(() => world.close());

  /** Sends the very bytes, which clients would put right on their way. */
  const send = async (request: string): Promise<Answer> => {
    const { hostname, port } = new URL(world.url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    socket.write(request);
    const answer = await text(socket);
    const [head = '', ...rest] = answer.split('\r\n\r\n');
    const [first = '', ...lines] = head.split('\r\n');
    return {
      status: Number(first.split(' ')[1]),
      headers: Object.fromEntries(
        lines.map((line) => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 2),
        ]),
      ),
      body: rest.join('\r\n\r\n'),
    };
  };
  const lines = (...all: string[]): string => `${all.join('\r\n')}\r\n\r\n`;
  const get = (path: string, ...headers: string[]): string =>
    lines(`GET ${path} HTTP/1.1`, 'Host: oam', 'Connection: close', bearer, ...headers);
  const post = (
    body: string,
    type = 'application/json',
    path = '/api/v1/requests',
    ...headers: string[]
  ): string =>
    lines(
      `POST ${path} HTTP/1.1`,
      ...['Host: oam', 'Connection: close', bearer, 'Idempotency-Key: key'],
      ...[`Content-Type: ${type}`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers],
    ) + body;
  const cursor = (...position: unknown[]): string =>
    Buffer.from(JSON.stringify(position)).toString('base64url');

  const ID = '00000000-0000-4000-8000-000000000001';
  const WRONG: readonly (readonly [string, () => string, number, ProblemCode])[] = [
    ['an unknown address', () => get('/api/v1/nothing'), 404, 'not_found'],
    ['an address outside of the API', () => get('/'), 404, 'not_found'],
    ['an address that is none', () => get('/api/v1/requests/%zz'), 400, 'bad_request'],
    ['an id of 5 000 characters', () => get(`/api/v1/requests/${'a'.repeat(5_000)}`), 404, 'not_found'],
    ['no JSON', () => post('{"roleId":'), 400, 'bad_request'],
    ['no body', () => post(''), 400, 'bad_request'],
    ['a body of null', () => post('null'), 400, 'bad_request'],
    ['a list for a body', () => post('[]'), 400, 'bad_request'],
    [
      'a list where nothing is needed',
      () => post('[]', undefined, `/api/v1/grants/${ID}/return`),
      400,
      'bad_request',
    ],
    [
      'null where nothing is needed',
      () => post('null', undefined, `/api/v1/grants/${ID}/return`),
      400,
      'bad_request',
    ],
    ['a prototype', () => post('{"__proto__":{"a":1}}'), 400, 'bad_request'],
    ['a depth of 20 000', () => post('['.repeat(20_000) + ']'.repeat(20_000)), 400, 'bad_request'],
    ['another kind of content', () => post('roleId=x', 'text/plain'), 415, 'unsupported_media_type'],
    ['a form', () => post('roleId=x', 'application/x-www-form-urlencoded'), 415, 'unsupported_media_type'],
    ['a kind of content that is none', () => post('{}', ';;'), 415, 'unsupported_media_type'],
    ['100 000 characters', () => post(JSON.stringify({ x: 'x'.repeat(100_000) })), 413, 'body_too_large'],
    [
      'headers of 20 000 characters',
      () => get('/api/v1/me', `X-Long: ${'x'.repeat(20_000)}`),
      431,
      'headers_too_large',
    ],
    ['what is no HTTP', () => 'HELO oam\r\n\r\n', 400, 'bad_request'],
    [
      'a version that is no ETag',
      () => post('{}', undefined, `/api/v1/grants/${ID}/return`, 'If-Match: 3'),
      400,
      'bad_request',
    ],
    ['a cursor beyond time', () => get(`/api/v1/requests?cursor=${cursor(1e300, ID)}`), 400, 'bad_request'],
    ['a cursor before time', () => get(`/api/v1/grants?cursor=${cursor(-1e15, ID)}`), 400, 'bad_request'],
    ['a cursor between times', () => get(`/api/v1/requests?cursor=${cursor(1.5, ID)}`), 400, 'bad_request'],
    ['a place beyond the feed', () => get(`/api/v1/events?after=1-${'9'.repeat(19)}`), 400, 'bad_request'],
    [
      'a transaction beyond the feed',
      () => get(`/api/v1/events?after=${'9'.repeat(20)}-1`),
      400,
      'bad_request',
    ],
    [
      'two last events',
      () => get('/api/v1/events', 'Accept: text/event-stream', 'Last-Event-ID: 1-1', 'Last-Event-ID: 1-2'),
      400,
      'bad_request',
    ],
    ['a page of 0 rows', () => get('/api/v1/requests?limit=0'), 400, 'bad_request'],
    ['a page of 201 rows', () => get('/api/v1/requests?limit=201'), 400, 'bad_request'],
    ['two limits', () => get('/api/v1/requests?limit=1&limit=2'), 400, 'bad_request'],
    ['a choice that is none', () => get('/api/v1/grants?open=maybe'), 400, 'bad_request'],
  ];
  for (const [what, request, status, code] of WRONG) {
    it(`to ${what} is a problem: ${status} ${code}`, async () => {
      const answer = await send(request());
      assert.equal(answer.status, status, answer.body);
      assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/);
      const problem = Problem.parse(JSON.parse(answer.body));
      assert.equal(problem.code, code);
      assert.equal(problem.status, status);
      assert.match(problem.detail, /^[A-Z].*\./, 'no sentence');
    });
  }

  const METHODS: readonly (readonly [string, string, string])[] = [
    ['PUT', '/api/v1/requests', 'GET, POST'],
    ['DELETE', `/api/v1/requests/${ID}`, 'GET'],
    ['GET', `/api/v1/requests/${ID}/approve`, 'POST'],
    ['OPTIONS', '/api/v1/me', 'GET'],
    ['POST', '/metrics?x=y', 'GET, HEAD'],
    ['QUERY', '/api/v1/configuration', 'GET'],
  ];
  for (const [method, path, allow] of METHODS) {
    it(`to ${method} ${path} says what is allowed`, async () => {
      const answer = await send(lines(`${method} ${path} HTTP/1.1`, 'Host: oam', 'Connection: close'));
      assert.equal(answer.status, 405);
      assert.equal(answer.headers['allow'], allow);
      assert.equal(Problem.parse(JSON.parse(answer.body)).code, 'method_not_allowed');
    });
  }

  it('to HEAD does not leave a stream open that nobody reads', async () => {
    const answer = await send(get('/api/v1/events', 'Accept: text/event-stream').replace('GET', 'HEAD'));
    assert.equal(answer.status, 405);
    assert.equal(answer.headers['allow'], 'GET');
  });

  it('is what an empty Last-Event-ID asks for: the feed from now on', async () => {
    const stream = await fetch(`${world.url}/api/v1/events`, {
      headers: {
        authorization: `Bearer ${await world.token('ana')}`,
        accept: 'text/event-stream',
        'last-event-id': '',
      },
    });
    assert.equal(stream.status, 200);
    await stream.body?.cancel();
  });
});

describe('somebody who asks too often', function () {
  this.timeout(20_000);
  let world: World;
  before(async () => {
    world = await startWorld({ limits: { requestsPerMinute: 40, streams: 2 } });
  });
  after(() => world.close());

  const ask = async (name: 'ana' | 'omar' | 'lena', accept = 'application/json') =>
    fetch(`${world.url}/api/v1/${accept === 'text/event-stream' ? 'events' : 'me'}`, {
      headers: { authorization: `Bearer ${await world.token(name)}`, accept },
    });

  it('is asked to wait, and nobody else is', async () => {
    for (let asked = 0; asked < 40; asked += 1) assert.equal((await ask('ana')).status, 200);
    const answer = await ask('ana');
    assert.equal(answer.status, 429);
    assert.equal(Problem.parse(await answer.json()).code, 'too_many_requests');
    const seconds = Number(answer.headers.get('retry-after'));
    assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, String(seconds));
    assert.equal((await ask('omar')).status, 200);
  });

  it('has so many streams and no more, until one of them ends', async () => {
    const streams = [await ask('lena', 'text/event-stream'), await ask('lena', 'text/event-stream')];
    const refused = await ask('lena', 'text/event-stream');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    await streams[0]?.body?.cancel();
    let next = refused;
    for (let tries = 0; tries < 30 && next.status === 429; tries += 1) {
      await delay(20);
      next = await ask('lena', 'text/event-stream');
    }
    assert.equal(next.status, 200);
    await next.body?.cancel();
    await streams[1]?.body?.cancel();
  });
});
