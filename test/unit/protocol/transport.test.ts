import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

import { hasCode } from '../../../src/domain/errors.ts';
import { axiosTransport } from '../../../src/protocol/transport.ts';

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('transport', () => {
  const transport = axiosTransport();

  it('hands back any status as an answer, the text untouched', async () => {
    await using server = await serve((_, res) => res.writeHead(418, { 'X-Kind': 'Teapot' }).end('{"a": 1}'));
    const answer = await transport({ method: 'GET', url: server.url });
    assert.deepEqual([answer.status, answer.headers['x-kind'], answer.text], [418, 'Teapot', '{"a": 1}']);
  });

  it('never follows a redirect', async () => {
    const seen: string[] = [];
    await using server = await serve((req, res) => {
      seen.push(req.url ?? '');
      res.writeHead(302, { location: '/stranger' }).end();
    });
    const answer = await transport({ method: 'POST', url: `${server.url}/token`, body: 'secret=1' });
    assert.equal(answer.status, 302);
    assert.deepEqual(seen, ['/token']);
  });

  it('says so when nobody answers', async () => {
    const closed = await serve(() => undefined);
    await closed[Symbol.asyncDispose]();
    await assert.rejects(transport({ method: 'GET', url: closed.url }), (error) =>
      hasCode(error, 'unreachable'),
    );
  });

  it('gives up after the time that it was given', async () => {
    await using server = await serve(() => undefined);
    await assert.rejects(transport({ method: 'GET', url: server.url, timeoutMs: 50 }), (error) =>
      hasCode(error, 'timed_out'),
    );
  });

  it("goes to this machine's own addresses without the proxy of the environment", async () => {
    await using server = await serve((_, res) => res.end('direct'));
    const before = process.env['http_proxy'];
    process.env['http_proxy'] = 'http://127.0.0.1:9';
    try {
      assert.equal((await transport({ method: 'GET', url: server.url })).text, 'direct');
    } finally {
      if (before === undefined) delete process.env['http_proxy'];
      else process.env['http_proxy'] = before;
    }
  });

  it('stops when it is called off', async () => {
    const controller = new AbortController();
    await using server = await serve(() => controller.abort());
    await assert.rejects(transport({ method: 'GET', url: server.url, signal: controller.signal }), (error) =>
      hasCode(error, 'cancelled'),
    );
  });
});
