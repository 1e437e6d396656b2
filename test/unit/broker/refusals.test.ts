import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';

import fc from 'fast-check';

import type { Broker, BrokerPath, Refusal } from '../../../src/broker/index.ts';
import { normaliseHost } from '../../../src/broker/admission.ts';
import { brokerWith, countingSource, HOST, sendRaw, SDK_HEADERS, wire } from './broker-harness.ts';

describe('broker: what it refuses', () => {
  let broker: Broker;
  let place: BrokerPath;
  let shown: Refusal[];
  let strays: Refusal[];
  const source = countingSource(() => ({ accessToken: 'the-token', expiresAtMs: 1_800_003_600_000 }));

  beforeEach(async () => {
    shown = [];
    strays = [];
    source.calls = 0;
    broker = await brokerWith({ onRefusal: (refusal) => strays.push(refusal), requestWithinMs: 300 });
    place = broker.open({ host: HOST, source, onRefusal: (refusal) => shown.push(refusal) });
  });

  afterEach(() => broker.close());

  const ask = (o: Partial<Parameters<typeof wire>[0]> = {}) =>
    sendRaw(broker.port, wire({ port: broker.port, path: `/${place.path}`, ...o }));

  it('answers what the SDKs send, so that the refusals below mean something', async () => {
    const answer = await ask();
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json, {
      access_token: 'the-token',
      token_type: 'Bearer',
      expires_on: 1_800_000_120,
    });
    assert.deepEqual(shown, []);
  });

  const port = () => broker.port;
  type Ask = Partial<Parameters<typeof wire>[0]>;
  const cases: Record<string, [status: number, code: string, ask: () => Ask]> = {
    'HTTP/1.0': [505, 'http_version', () => ({ version: '1.0' })],
    'no Host header': [400, 'host_header_missing', () => ({ headers: { Host: undefined } })],
    'two Host headers': [
      400,
      'host_header_missing',
      () => ({ headers: { Host: [`127.0.0.1:${port()}`, 'evil.example'] } }),
    ],
    'a name that was rebound to this machine': [
      403,
      'wrong_host_header',
      () => ({ headers: { Host: `evil.example:${port()}` } }),
    ],
    'our address with another port': [403, 'wrong_host_header', () => ({ headers: { Host: '127.0.0.1:1' } })],
    'our address without the port': [403, 'wrong_host_header', () => ({ headers: { Host: '127.0.0.1' } })],
    'a name that ends like ours': [
      403,
      'wrong_host_header',
      () => ({ headers: { Host: `localhost:${port()}.evil.example` } }),
    ],
    'an Origin': [403, 'from_a_web_page', () => ({ headers: { Origin: 'https://evil.example' } })],
    'the Origin null': [403, 'from_a_web_page', () => ({ headers: { Origin: 'null' } })],
    'our own Origin': [403, 'from_a_web_page', () => ({ headers: { Origin: `http://127.0.0.1:${port()}` } })],
    'what only browsers send': [
      403,
      'from_a_web_page',
      () => ({ headers: { 'Sec-Fetch-Site': 'same-origin' } }),
    ],
    'a body': [400, 'body', () => ({ headers: { 'Content-Length': '2' }, body: '{}' })],
    'a body in chunks': [
      400,
      'body',
      () => ({ headers: { 'Transfer-Encoding': 'chunked' }, body: '2\r\n{}\r\n0\r\n\r\n' }),
    ],
    'no version': [
      400,
      'protocol_version',
      () => ({ headers: { 'X-Databricks-Metadata-Version': undefined } }),
    ],
    'an unknown version': [
      400,
      'protocol_version',
      () => ({ headers: { 'X-Databricks-Metadata-Version': '2' } }),
    ],
    'a version that only looks like 1': [
      400,
      'protocol_version',
      () => ({ headers: { 'X-Databricks-Metadata-Version': '1.0' } }),
    ],
    'two versions': [
      400,
      'protocol_version',
      () => ({ headers: { 'X-Databricks-Metadata-Version': ['1', '1'] } }),
    ],
    'no workspace': [400, 'workspace_missing', () => ({ headers: { 'X-Databricks-Host': undefined } })],
    'two workspaces': [403, 'other_workspace', () => ({ headers: { 'X-Databricks-Host': [HOST, HOST] } })],
    'another workspace': [
      403,
      'other_workspace',
      () => ({ headers: { 'X-Databricks-Host': 'https://ml-dev.cloud.databricks.com' } }),
    ],
    'the workspace over plain http': [
      403,
      'other_workspace',
      () => ({ headers: { 'X-Databricks-Host': HOST.replace('https', 'http') } }),
    ],
    'the workspace on another port': [
      403,
      'other_workspace',
      () => ({ headers: { 'X-Databricks-Host': `${HOST}:8443` } }),
    ],
    'the workspace with a path': [
      403,
      'other_workspace',
      () => ({ headers: { 'X-Databricks-Host': `${HOST}/x` } }),
    ],
    'the workspace as a user name': [
      403,
      'other_workspace',
      () => ({ headers: { 'X-Databricks-Host': `${HOST}@evil.example` } }),
    ],
    'a subdomain of the workspace': [
      403,
      'other_workspace',
      () => ({ headers: { 'X-Databricks-Host': `https://x.${HOST.slice(8)}` } }),
    ],
    'another expectation than 100-continue': [
      400,
      'protocol_version',
      () => ({
        headers: { Expect: 'a-miracle', 'X-Databricks-Metadata-Version': undefined },
      }),
    ],
  };
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND']) {
    cases[`the method ${method}`] = [405, 'method', () => ({ method })];
  }

  for (const [what, [status, code, request]] of Object.entries(cases)) {
    it(`refuses ${what}, in JSON, and tells whoever opened the path`, async () => {
      const answer = await ask(request());
      assert.deepEqual([answer.status, answer.json['error']], [status, code]);
      assert.equal(typeof answer.json['message'], 'string');
      assert.match(answer.headers, /content-type: application\/json/i);
      assert.doesNotMatch(answer.headers, /access-control/i);
      assert.deepEqual(
        shown.map((refusal) => refusal.code),
        [code],
      );
      assert.deepEqual(strays, []);
      assert.equal(source.calls, 0);
    });
  }

  it('refuses HEAD, where an answer has no body', async () => {
    const socket = connect(broker.port, '127.0.0.1');
    socket.write(wire({ port: broker.port, path: `/${place.path}`, method: 'HEAD' }));
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    assert.match(chunk.toString(), /^HTTP\/1\.1 405 [^]*\r\n\r\n$/);
  });

  for (const [what, change] of Object.entries<(path: string) => string>({
    'a path that was never opened': () => '/nothing-was-ever-opened-here-at-all',
    'no path': () => '/',
    'half of the path': (path) => path.slice(0, -1),
    'the path in capitals': (path) => path.toUpperCase(),
    'the path with a slash after it': (path) => `${path}/`,
    'the path with a query': (path) => `${path}?x=1`,
    'the path below another': (path) => `/x${path}`,
    'the path by way of dots': (path) => `/x/..${path}`,
    'an absolute address, as to a proxy': (path) => `http://127.0.0.1${path}`,
  })) {
    it(`refuses ${what}, and tells whoever started the broker`, async () => {
      const answer = await ask({ path: change(`/${place.path}`) });
      assert.deepEqual([answer.status, answer.json['error']], [404, 'unknown_path']);
      assert.deepEqual(
        strays.map((refusal) => refusal.code),
        ['unknown_path'],
      );
      assert.equal(source.calls, 0);
    });
  }

  it('refuses an address that is too long', async () => {
    const answer = await ask({ path: `/${'x'.repeat(1_000)}` });
    assert.deepEqual([answer.status, answer.json['error']], [414, 'address_too_long']);
  });

  it('refuses headers that are too long', async () => {
    const answer = await ask({ headers: { 'X-Filling': 'x'.repeat(20_000) } });
    assert.deepEqual([answer.status, answer.json['error']], [431, 'headers_too_long']);
    assert.deepEqual(
      strays.map((refusal) => refusal.code),
      ['headers_too_long'],
    );
  });

  it('refuses what is not HTTP', async () => {
    const answer = await sendRaw(broker.port, '\x16\x03\x01 hello\r\n\r\n');
    assert.deepEqual([answer.status, answer.json['error']], [400, 'not_http']);
  });

  it('refuses to be a tunnel', async () => {
    const answer = await ask({ method: 'CONNECT', path: 'evil.example:443' });
    assert.deepEqual([answer.status, answer.json['error']], [405, 'method']);
  });

  for (const [what, text] of Object.entries({
    'sends its headers too slowly': 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ',
    'connects and says nothing': '',
  })) {
    it(`hangs up on a client that ${what}`, async () => {
      const socket = connect(broker.port, '127.0.0.1');
      if (text !== '') socket.write(text);
      let answer = '';
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      await once(socket, 'close');
      assert.match(answer, /^HTTP\/1\.1 408 [^]*"request_too_slow"/);
    });
  }

  for (const host of [
    `${HOST}/`,
    HOST.toUpperCase(),
    `${HOST}:443`,
    `${HOST}:443/`,
    HOST.slice('https://'.length),
    `HTTPS://ML-Prod.cloud.databricks.com/`,
  ]) {
    it(`takes ${host} for the same workspace`, async () => {
      assert.equal((await ask({ headers: { 'X-Databricks-Host': host } })).status, 200);
    });
  }

  it('compares workspaces as origins, whatever the spelling', () => {
    fc.assert(
      fc.property(
        fc.domain(),
        fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
        (name, port) => {
          const host = `https://${name}${port === undefined ? '' : `:${port}`}`;
          const normal = normaliseHost(host);
          assert.equal(normaliseHost(`${host.toUpperCase()}/`), normal);
          assert.equal(normaliseHost(normal ?? ''), normal);
          assert.equal(normaliseHost(`${host}/api`), undefined);
          assert.equal(normaliseHost(`${host}?a`), undefined);
          assert.equal(normaliseHost(host.replace('https', 'ftp')), undefined);
        },
      ),
    );
  });

  it('reads the address of this machine under its other name too', async () => {
    assert.equal((await ask({ headers: { Host: `LOCALHOST:${broker.port}` } })).status, 200);
  });

  it("refuses another user's program", async () => {
    await using other = await brokerWith({ uidOf: () => Promise.resolve((process.geteuid?.() ?? 0) + 1) });
    const { path } = other.open({ host: HOST, source });
    const answer = await sendRaw(other.port, wire({ port: other.port, path: `/${path}` }));
    assert.deepEqual([answer.status, answer.json['error']], [403, 'other_user']);
    assert.equal(source.calls, 0);
  });

  it('refuses a program of which the system knows nothing, or will not tell', async () => {
    for (const [uidOf, code] of [
      [() => Promise.resolve(undefined), 'other_user'],
      [() => Promise.reject(new Error('EACCES')), 'peer_unknown'],
    ] as const) {
      await using other = await brokerWith({ uidOf });
      const { path } = other.open({ host: HOST, source });
      const answer = await sendRaw(other.port, wire({ port: other.port, path: `/${path}` }));
      assert.deepEqual([answer.status, answer.json['error']], [403, code]);
    }
    assert.equal(source.calls, 0);
  });

  it('tells no path and no token to its log', async () => {
    const lines: string[] = [];
    const log = (message: string, fields?: object) => lines.push(message + JSON.stringify(fields ?? {}));
    await using other = await brokerWith({ logger: { debug: log, info: log, warn: log, error: log } });
    const { path } = other.open({ host: HOST, source });
    await sendRaw(other.port, wire({ port: other.port, path: `/${path}` }));
    await sendRaw(other.port, wire({ port: other.port, path: `/${path}`, method: 'POST' }));
    await sendRaw(other.port, wire({ port: other.port, path: `/${path}x` }));
    assert.equal(lines.length, 2);
    assert.ok(!lines.join().includes(path) && !lines.join().includes('the-token'));
  });

  it('needs no more headers than those of the SDKs', async () => {
    const answer = await fetch(place.url, { headers: SDK_HEADERS });
    assert.equal(answer.status, 200);
  });
});
