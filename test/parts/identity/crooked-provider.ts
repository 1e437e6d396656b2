import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';

import { exportJWK, type JWK, type JWTPayload, SignJWT, generateKeyPair } from 'jose';

import { EDITOR_CLIENT_ID, OAM_AUDIENCE, PEOPLE } from '../../../src/sandbox/identity-provider/index.ts';

/** What the token endpoint does with one request. */
export type TokenAnswer = (response: ServerResponse, tokens: GoodTokens) => void;

/** What a good provider would have answered. */
export interface GoodTokens {
  readonly access_token: string;
  readonly id_token: string;
  readonly refresh_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
}

/** A provider that answers its token endpoint as a test says; all else is in order. */
export interface CrookedProvider {
  readonly issuer: string;
  /** Its key as everybody sees it. */
  readonly publicKey: JWK;
  /** How often its token endpoint was asked. */
  asked(): number;
  /** From now on. */
  answers(answer: TokenAnswer): void;
  sign(claims: JWTPayload): Promise<string>;
  /** Signs with a key that it does not publish, under the name of the one that it does. */
  forge(claims: JWTPayload): Promise<string>;
  /** The claims of an ID token and of an access token that are in order. */
  claims(nonce: string): { readonly id: JWTPayload; readonly access: JWTPayload };
  /** The nonce of the last authorization request, as the browser carried it there. */
  nonce: string;
  close(): Promise<void>;
}

export async function startCrookedProvider(): Promise<CrookedProvider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const stranger = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  const signed = (claims: JWTPayload, key: Parameters<SignJWT['sign']>[0]): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(key);
  let answer: TokenAnswer = (response, tokens) => sendJson(response, tokens);
  let asked = 0;
  const provider: Omit<CrookedProvider, 'issuer'> & { issuer: string } = {
    issuer: '',
    publicKey: jwk,
    nonce: '',
    asked: () => asked,
    answers(next) {
      answer = next;
    },
    sign: (claims) => signed(claims, privateKey),
    forge: (claims) => signed(claims, stranger.privateKey),
    claims(nonce) {
      const now = Math.floor(Date.now() / 1_000);
      const common = { iss: provider.issuer, sub: PEOPLE.ana.sub, iat: now, exp: now + 300 };
      return {
        id: { ...common, aud: EDITOR_CLIENT_ID, email: PEOPLE.ana.userName, nonce },
        access: { ...common, aud: OAM_AUDIENCE, jti: randomUUID() },
      };
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', provider.issuer);
    if (pathname === '/.well-known/openid-configuration') {
      sendJson(response, {
        issuer: provider.issuer,
        authorization_endpoint: `${provider.issuer}/authorize`,
        token_endpoint: `${provider.issuer}/token`,
        jwks_uri: `${provider.issuer}/jwks`,
        id_token_signing_alg_values_supported: ['RS256'],
      });
    } else if (pathname === '/jwks') sendJson(response, { keys: [jwk] });
    else if (pathname === '/token') {
      asked += 1;
      request.resume();
      void (async () => {
        const { id, access } = provider.claims(provider.nonce);
        answer(response, {
          access_token: await provider.sign(access),
          id_token: await provider.sign(id),
          refresh_token: `refresh-${asked}-of-the-test`,
          token_type: 'Bearer',
          expires_in: 300,
        });
      })();
    } else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('Not a TCP address.');
  provider.issuer = `http://127.0.0.1:${address.port}`;
  return provider;
}

export function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
