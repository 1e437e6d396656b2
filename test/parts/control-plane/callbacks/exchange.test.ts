import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { TLSSocket } from 'node:tls';

import {
  createExchange,
  MAX_ANSWER_BYTES,
  type Outcome,
} from '../../../../src/control-plane/callbacks/exchange.ts';
import { type Certificate, certificateFor } from './certificates.ts';

const NAME = 'tickets.example.com';

describe('an exchange with a callback', function () {
  this.timeout(20_000);
  const servers: Server[] = [];
  let certificate: Certificate;
  before(async () => {
    certificate = await certificateFor(`DNS:${NAME}`);
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      if (server instanceof http.Server) server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  });

  const listen = async (server: Server, host = '127.0.0.1'): Promise<number> => {
    servers.push(server);
    server.listen(0, host);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const serve = (listener: http.RequestListener) => listen(http.createServer(listener));

  const send = (
    url: string,
    {
      resolve = () => Promise.resolve(['127.0.0.1']),
      allowPrivate = ['127.0.0.1', NAME],
      ca = certificate.ca,
      signal = AbortSignal.timeout(5_000),
    }: {
      resolve?: (host: string) => Promise<readonly string[]>;
      allowPrivate?: readonly string[];
      ca?: string;
      signal?: AbortSignal;
    } = {},
  ): Promise<Outcome> =>
    createExchange({ resolve, ca })(
      {
        url: new URL(url),
        allowPrivate,
        headers: { 'content-type': 'application/json' },
        body: '{"ask":"é"}',
      },
      signal,
    );
  const reasonOf = (outcome: Outcome): string => (outcome.kind === 'failed' ? outcome.reason : 'answered');

  it('goes to the checked address with the certificate of the name', async () => {
    let seen: { servername: unknown; host: string | undefined; body: string } | undefined;
    const server = https.createServer(certificate, (request, response) => {
      const { servername } = request.socket as TLSSocket & { servername?: unknown };
      let body = '';
      request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      request.on('end', () => {
        seen = { servername, host: request.headers.host, body };
        response.setHeader('content-type', 'application/json; charset=utf-8');
        response.end('{"verified":true}');
      });
    });
    const port = await listen(server);
    const outcome = await send(`https://${NAME}:${port}/verify`);
    assert.deepEqual(outcome, { kind: 'answered', text: '{"verified":true}' });
    assert.deepEqual(seen, { servername: NAME, host: `${NAME}:${port}`, body: '{"ask":"é"}' });
  });

  it('trusts no other certificate', async () => {
    const port = await listen(https.createServer(certificate, (_, response) => response.end('{}')));
    const other = `https://other.example.com:${port}/`;
    assert.equal(
      reasonOf(await send(other, { allowPrivate: ['other.example.com'] })),
      'its certificate is not trusted',
    );
    const stranger = await certificateFor(`DNS:${NAME}`);
    const url = `https://${NAME}:${port}/`;
    assert.equal(reasonOf(await send(url, { ca: stranger.ca })), 'its certificate is not trusted');
    assert.equal(
      reasonOf(
        await createExchange({ resolve: () => Promise.resolve(['127.0.0.1']) })(
          { url: new URL(url), allowPrivate: [NAME], headers: {}, body: '' },
          AbortSignal.timeout(5_000),
        ),
      ),
      'its certificate is not trusted',
    );
  });

  it('is not led inside by a name that says something else the second time', async () => {
    let connections = 0;
    const inside = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    const port = await listen(inside);
    const answers = [
      ['192.0.2.1', '127.0.0.1'],
      ['127.0.0.1'],
      ['::ffff:127.0.0.1'],
      ['::1'],
      ['169.254.169.254'],
    ];
    for (const answer of answers) {
      const outcome = await send(`https://rebind.example.com:${port}/`, {
        resolve: () => Promise.resolve(answer),
      });
      assert.equal(reasonOf(outcome), 'its name leads to an address that callbacks may not go to');
    }
    // Public when it was looked at, inside from then on: the first answer is the one that is used.
    let asked = 0;
    const resolve = (): Promise<string[]> => Promise.resolve([asked++ === 0 ? '8.8.8.8' : '127.0.0.1']);
    const gone = new AbortController();
    const waiting = send(`https://rebind.example.com:${port}/`, { resolve, signal: gone.signal });
    setImmediate(() => {
      gone.abort(new Error('enough'));
    });
    await waiting.catch(() => undefined);
    assert.equal(asked, 1);
    assert.equal(connections, 0);
  });

  it('takes what a stub resolver gave even where the machine knows the name otherwise', async () => {
    const port = await serve((_, response) =>
      response.setHeader('content-type', 'application/json').end('{}'),
    );
    // 'localhost' would be asked for by a second look; the pinned address has nobody who listens.
    const outcome = await send(`http://localhost:${port}/`, {
      resolve: () => Promise.resolve(['127.0.0.9']),
      allowPrivate: ['localhost'],
    });
    assert.equal(reasonOf(outcome), 'it could not be reached');
  });

  it('knows no proxy', async () => {
    let proxied = 0;
    const proxy = await listen(createServer((socket) => (proxied++, socket.destroy())));
    const port = await serve((_, response) =>
      response.setHeader('content-type', 'application/json').end('{}'),
    );
    const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy', 'NODE_USE_ENV_PROXY'];
    const before = names.map((name) => process.env[name]);
    for (const name of names)
      process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : `http://127.0.0.1:${proxy}`;
    try {
      assert.equal((await send(`http://127.0.0.1:${port}/`)).kind, 'answered');
    } finally {
      names.forEach((name, index) => {
        const value = before[index];
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      });
    }
    assert.equal(proxied, 0);
  });

  const oddities: Readonly<Record<string, [reason: string, listener: http.RequestListener]>> = {
    redirects: [
      'it answered with a redirect, which is not followed',
      (request, response) =>
        response.writeHead(307, { location: `http://${request.headers.host}/elsewhere` }).end(),
    ],
    fails: ['it answered with status 500', (_, response) => response.writeHead(500).end('{"verified":true}')],
    'says that it made something': [
      'it answered with status 201',
      (_, response) =>
        response.writeHead(201, { 'content-type': 'application/json' }).end('{"verified":true}'),
    ],
    'shows a page': [
      'its answer is not JSON',
      (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in</h1>'),
    ],
    compresses: [
      'its answer is compressed, which was not asked for',
      (_, response) =>
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end('x'),
    ],
    'talks without end': [
      'its answer is too long',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const more = (): void => {
          if (response.destroyed) return;
          response.write('x'.repeat(1_024));
          setImmediate(more);
        };
        more();
      },
    ],
    'says one byte too much': [
      'its answer is too long',
      (_, response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end('x'.repeat(MAX_ANSWER_BYTES + 1)),
    ],
    'closes before it answers': ['it could not be reached', (request) => request.socket.destroy()],
    'closes in the middle': [
      'it could not be reached',
      (request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
        response.write('{"verified":');
        setImmediate(() => request.socket.destroy());
      },
    ],
    'sends endless headers': [
      'its answer is not HTTP',
      (_, response) => response.writeHead(200, { 'x-long': 'x'.repeat(20_000) }).end('{}'),
    ],
  };
  for (const [what, [reason, listener]] of Object.entries(oddities)) {
    it(`grants nothing to one that ${what}`, async () => {
      let requests = 0;
      const port = await serve((request, response) => {
        requests += 1;
        listener(request, response);
      });
      assert.equal(reasonOf(await send(`http://127.0.0.1:${port}/`)), reason);
      assert.equal(requests, 1);
    });
  }

  it('grants nothing to one that does not speak HTTP, nor to one that is not there', async () => {
    const port = await listen(createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')));
    assert.equal(reasonOf(await send(`http://127.0.0.1:${port}/`)), 'its answer is not HTTP');
    for (const server of servers.splice(0)) server.close();
    assert.equal(reasonOf(await send(`http://127.0.0.1:${port}/`)), 'it could not be reached');
  });

  it('ends when its time is over, wherever it is, and lets go of the connection', async () => {
    const drip = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const dripping = setInterval(() => response.write(' '), 5);
      response.on('close', () => {
        clearInterval(dripping);
      });
    });
    let open = 0;
    const closed = new EventEmitter();
    const mute = await listen(
      createServer((socket) => {
        open += 1;
        socket.resume().once('close', () => {
          open -= 1;
          closed.emit('close');
        });
      }),
    );
    for (const port of [drip, mute]) {
      const over = AbortSignal.timeout(100);
      await assert.rejects(send(`http://127.0.0.1:${port}/`, { signal: over }), { name: 'TimeoutError' });
    }
    const never = send(`https://${NAME}/`, {
      resolve: () => new Promise(() => undefined),
      signal: AbortSignal.timeout(50),
    });
    await assert.rejects(never, { name: 'TimeoutError' });
    await assert.rejects(
      send(`http://127.0.0.1:${mute}/`, { signal: AbortSignal.abort(new Error('gone')) }),
      /gone/,
    );
    while (open > 0) await once(closed, 'close');
  });

  it('does not come back to a connection that it has used', async () => {
    const ports = new Set<number | undefined>();
    const port = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.setHeader('content-type', 'application/json').end('{}');
    });
    for (let round = 0; round < 3; round += 1) await send(`http://127.0.0.1:${port}/`);
    assert.equal(ports.size, 3);
  });
});
