/**
 * One of the two servers that the figure `broker` compares, in a process of its own: the broker with a token in hand, or
 * a bare `node:http` server that answers the same bytes. Says its address to its parent, and ends with it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { startBroker } from '../../../src/broker/index.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import { createRedactor } from '../../../src/domain/redaction.ts';
import { HOUR_MS } from '../../../src/domain/time.ts';
import { HOST, TOKEN } from './question.ts';

const clock = { nowMs: () => Date.now() };

async function broker(): Promise<string> {
  const running = await startBroker({ clock, logger: silentLogger, redactor: createRedactor() });
  const source = {
    token: () => Promise.resolve({ accessToken: TOKEN, expiresAtMs: Date.now() + HOUR_MS }),
  };
  return running.open({ host: HOST, source }).url;
}

async function bare(): Promise<string> {
  const body = JSON.stringify({ access_token: TOKEN, token_type: 'Bearer', expires_on: 1_800_000_120 });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
  const server = createServer((_request, response) => {
    response.writeHead(200, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${String(port)}/${'x'.repeat(43)}`;
}

process.send?.(await (process.argv[2] === 'broker' ? broker() : bare()));
process.on('disconnect', () => process.exit());
