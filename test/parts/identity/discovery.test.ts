import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

import { hasCode } from '../../../src/domain/errors.ts';
import { discoverIdentityProvider } from '../../../src/identity/index.ts';
import {
  EDITOR_CLIENT_ID,
  startIdentityProvider,
  type RunningIdentityProvider,
} from '../../../src/sandbox/identity-provider/index.ts';
import { configurationOf, discover } from './sign-in.ts';

const wrongIssuer = (error: unknown): boolean => hasCode(error, 'wrong_issuer');
const unavailable = (error: unknown): boolean => hasCode(error, 'identity_provider_unavailable');

/** A server that answers every request with one document, made when its own address is known. */
async function serving(
  document: (origin: string) => { status: number; body: string; location?: string },
): Promise<{
  origin: string;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  let origin = '';
  const server: Server = createServer((_, response) => {
    const { status, body, location } = document(origin);
    response
      .writeHead(status, { 'content-type': 'application/json', ...(location !== undefined && { location }) })
      .end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  origin = `http://127.0.0.1:${address.port}`;
  return {
    origin,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

describe('discovery of the identity provider', () => {
  let idp: RunningIdentityProvider;
  before(async () => {
    idp = await startIdentityProvider();
  });
  after(() => idp.close());

  it('finds the provider', async () => {
    const discovered = await discover(idp);
    assert.equal(discovered.client.serverMetadata().issuer, idp.issuer);
  });

  it('refuses a provider that calls itself something else', async () => {
    await using impostor = await serving(() => ({
      status: 200,
      body: JSON.stringify({ issuer: idp.issuer }),
    }));
    await assert.rejects(discover({ issuer: impostor.origin }), wrongIssuer);
  });

  it('refuses what is no provider', async () => {
    await using website = await serving(() => ({ status: 404, body: '{}' }));
    await assert.rejects(discover({ issuer: website.origin }), wrongIssuer);
    await using page = await serving(() => ({ status: 200, body: '<html>' }));
    await assert.rejects(discover({ issuer: page.origin }), wrongIssuer);
  });

  it('does not follow a redirect', async () => {
    await using elsewhere = await serving(() => ({
      status: 302,
      body: '',
      location: `${idp.issuer}/.well-known/openid-configuration`,
    }));
    await assert.rejects(discover({ issuer: elsewhere.origin }), wrongIssuer);
  });

  it('refuses plain http anywhere but on this machine', async () => {
    for (const issuer of ['http://idp.example.com', 'ftp://127.0.0.1', 'idp.example.com', '']) {
      await assert.rejects(discover({ issuer }), wrongIssuer, issuer);
    }
  });

  it('refuses endpoints that are not safe', async () => {
    await using careless = await serving((origin) => ({
      status: 200,
      body: JSON.stringify({ issuer: origin, token_endpoint: 'http://idp.example.com/token' }),
    }));
    await assert.rejects(discover({ issuer: careless.origin }), wrongIssuer);
  });

  it('says that a provider is away, not wrong, when it is down or busy', async () => {
    idp.pause();
    try {
      await assert.rejects(discover(idp), unavailable);
    } finally {
      idp.resume();
    }
    const gone = await startIdentityProvider();
    await gone.close();
    await assert.rejects(discover(gone), unavailable);
    await using busy = await serving(() => ({ status: 429, body: '{}' }));
    await assert.rejects(discover({ issuer: busy.origin }), unavailable);
  });

  it('gives up on a provider that does not answer', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    assert.ok(address !== null && typeof address === 'object');
    try {
      await assert.rejects(
        discoverIdentityProvider(configurationOf({ issuer: `http://127.0.0.1:${address.port}` }), {
          timeoutMs: 50,
        }),
        unavailable,
      );
    } finally {
      silent.close();
      silent.closeAllConnections();
    }
  });

  it('refuses a configuration in which one token would open both doors', async () => {
    await assert.rejects(discover(idp, { audience: EDITOR_CLIENT_ID }), (error) =>
      hasCode(error, 'wrong_audience'),
    );
  });
});
