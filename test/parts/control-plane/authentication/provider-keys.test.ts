import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { errors, exportJWK, generateKeyPair, type JWK, jwtVerify, SignJWT } from 'jose';

import {
  createProviderKeys,
  type ProviderKeysOptions,
} from '../../../../src/control-plane/authentication/provider-keys.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';

interface Key {
  readonly kid: string;
  readonly jwk: JWK;
  sign(): Promise<string>;
}

async function newKey(kid: string): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  return {
    kid,
    jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256' },
    sign: () =>
      new SignJWT({}).setProtectedHeader({ alg: 'RS256', kid }).setExpirationTime('5m').sign(privateKey),
  };
}

describe("an identity provider's keys", function () {
  this.timeout(20_000);
  let first: Key;
  let second: Key;
  let stack: AsyncDisposableStack;
  let answer: (response: ServerResponse) => void;
  let reads: number;
  let url: string;

  const publish = (...keys: Key[]): void => {
    answer = (response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    };
  };
  const keysWith = (options: Partial<ProviderKeysOptions>) =>
    createProviderKeys({ issuer: url, transport: axiosTransport(), ...options });
  const verify = async (keys: ReturnType<typeof keysWith>, token: string) => jwtVerify(token, await keys());

  before(async () => {
    first = await newKey('first');
    second = await newKey('second');
  });
  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    reads = 0;
    publish(first);
    const server = createServer((request, response) => {
      if (request.url === '/.well-known/openid-configuration') {
        response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/jwks` }));
        return;
      }
      reads += 1;
      answer(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    url = `http://127.0.0.1:${address.port}`;
    stack.defer(() => {
      server.closeAllConnections();
      server.close();
    });
  });
  afterEach(() => stack.disposeAsync());

  it('are read once, and at once for a key that is not known', async () => {
    const keys = keysWith({ unknownKeyMs: 0 });
    await verify(keys, await first.sign());
    await verify(keys, await first.sign());
    assert.equal(reads, 1);
    publish(first, second);
    await verify(keys, await second.sign());
    assert.equal(reads, 2);
  });

  it('are not read again and again for keys that nobody has', async () => {
    const keys = keysWith({ unknownKeyMs: 60_000 });
    await verify(keys, await first.sign());
    for (let forgery = 0; forgery < 20; forgery++) {
      await assert.rejects(verify(keys, await second.sign()), errors.JWKSNoMatchingKey);
    }
    assert.equal(reads, 1);
  });

  it('that were withdrawn are believed no longer than they are fresh', async () => {
    const keys = keysWith({ freshMs: 0, unknownKeyMs: 60_000 });
    await verify(keys, await first.sign());
    publish(second);
    await assert.rejects(verify(keys, await first.sign()), errors.JWKSNoMatchingKey);
  });

  for (const [trouble, broken] of Object.entries<(response: ServerResponse) => void>({
    'resets connections': (response) => response.destroy(),
    'answers with 500': (response) => response.writeHead(500).end(),
    'answers with HTML': (response) => response.end('<html>Sign in to the Wi-Fi</html>'),
    'answers with a redirect': (response) =>
      response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    'answers with something else': (response) => response.end('{"keys":"none"}'),
  })) {
    it(`go on while their provider ${trouble}, and a key that is not known is neither good nor bad`, async () => {
      const keys = keysWith({ freshMs: 0, unknownKeyMs: 0, pauseMs: 0 });
      await verify(keys, await first.sign());
      answer = broken;
      await verify(keys, await first.sign());
      await assert.rejects(
        verify(keys, await second.sign()),
        (error) => !(error instanceof errors.JWKSNoMatchingKey),
      );
      publish(first, second);
      await verify(keys, await second.sign());
    });
  }

  it('go on without a wait for a provider that hangs, after the first one', async () => {
    const hanging: ServerResponse[] = [];
    const keys = keysWith({ freshMs: 0, unknownKeyMs: 0, pauseMs: 60_000 });
    await verify(keys, await first.sign());
    answer = (response) => response.destroy();
    await verify(keys, await first.sign());
    answer = (response) => hanging.push(response);
    await verify(keys, await first.sign());
    assert.equal(hanging.length, 0);
  });

  it('end with an outage that lasts too long', async () => {
    const keys = keysWith({ freshMs: 0, outageMs: 50, pauseMs: 0 });
    await verify(keys, await first.sign());
    answer = (response) => response.destroy();
    await delay(60);
    await assert.rejects(verify(keys, await first.sign()));
  });
});
