import { createServer } from 'node:http';

import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWTPayload, SignJWT } from 'jose';
import * as z from 'zod/mini';

import {
  createWorkspaceClient,
  requestClientCredentials,
  type WorkspaceClient,
} from '../../../../src/databricks/index.ts';
import type { EpochMs } from '../../../../src/domain/time.ts';
import { axiosTransport } from '../../../../src/protocol/transport.ts';
import {
  type RunningSandboxDatabricks,
  type SandboxCredentials,
  type SandboxDatabricksOptions,
  startSandboxDatabricks,
} from '../../../../src/sandbox/databricks/index.ts';

/** A clock that stands still until it is moved. It starts at the machine's time, because tokens carry real times. */
export class FakeClock {
  #nowMs: EpochMs = Date.now();

  nowMs(): EpochMs {
    return this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

/** An issuer with one RSA key that signs whatever it is told to. */
export interface TestIssuer {
  readonly url: string;
  /** Signs claims as they are, with the issuer's own `iss` unless another is given. */
  sign(claims: JWTPayload): Promise<string>;
  /** Signs with a key that the issuer does not publish. */
  forge(claims: JWTPayload): Promise<string>;
  /** The key that it publishes. */
  readonly jwks: JSONWebKeySet;
  close(): Promise<void>;
}

export async function startIssuer(port = 0): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const stranger = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256' };
  const jwks = { keys: [jwk] };
  let url = '';
  const server = createServer((request, response) => {
    const body =
      request.url === '/.well-known/openid-configuration' ? { issuer: url, jwks_uri: `${url}/jwks` } : jwks;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('Not a TCP address.');
  url = `http://127.0.0.1:${address.port}`;
  return {
    get url() {
      return url;
    },
    jwks,
    sign: (claims) =>
      new SignJWT({ iss: url, ...claims }).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(privateKey),
    forge: (claims) =>
      new SignJWT({ iss: url, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .sign(stranger.privateKey),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

export const ANA = {
  sub: '00u-ana',
  userName: 'ana.silva@example.com',
  displayName: 'Ana Silva',
  groups: ['ml-recsys'],
  password: 'coral-lantern-42',
};

export const OMAR = {
  sub: '00u-omar',
  userName: 'omar.haddad@example.com',
  displayName: 'Omar Haddad',
  groups: ['ml-platform'],
};

export const AUDIENCE = 'oam-editor';

/** A stand-in with two people and a fake clock. */
export async function startStandIn(
  options: Partial<SandboxDatabricksOptions> = {},
): Promise<{ standIn: RunningSandboxDatabricks; clock: FakeClock }> {
  const clock = new FakeClock();
  const standIn = await startSandboxDatabricks({
    identityProvider: { issuer: 'http://127.0.0.1:9', audience: AUDIENCE },
    people: [ANA, OMAR],
    clock,
    ...options,
  });
  return { standIn, clock };
}

export const transport = axiosTransport();

/** A client of a workspace that acts as the person, by a token that the person made. */
export function clientOf(
  standIn: RunningSandboxDatabricks,
  userName: string,
  workspace: 'prod' | 'dev' = 'prod',
): WorkspaceClient {
  const token = standIn.personalAccessToken(workspace, userName);
  return createWorkspaceClient({
    host: standIn.workspaces[workspace].host,
    token: () => Promise.resolve(token),
    transport,
    retry: 'never',
  });
}

/** A token for a service principal by its secret. */
export async function tokenOf(
  standIn: RunningSandboxDatabricks,
  clock: FakeClock,
  { applicationId, secret }: SandboxCredentials,
): Promise<string> {
  const { accessToken } = await requestClientCredentials({
    host: standIn.workspaces.prod.host,
    clientId: applicationId,
    clientSecret: secret,
    transport,
    clock,
  });
  return accessToken;
}

/** The administrator's token of the account. */
export async function accountTokenOf({
  account,
  adminCredentials,
}: Pick<RunningSandboxDatabricks, 'account' | 'adminCredentials'>): Promise<string> {
  const { applicationId, secret } = adminCredentials;
  const answer = await transport({
    method: 'POST',
    url: `${account.host}/oidc/accounts/${account.accountId}/v1/token`,
    headers: {
      authorization: `Basic ${Buffer.from(`${applicationId}:${secret}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: 'grant_type=client_credentials&scope=all-apis',
  });
  return z.object({ access_token: z.string() }).parse(JSON.parse(answer.text)).access_token;
}

/** A client that acts as a service principal, by its secret. */
export async function serviceClientOf(
  standIn: RunningSandboxDatabricks,
  clock: FakeClock,
  credentials: SandboxCredentials,
): Promise<WorkspaceClient> {
  const token = await tokenOf(standIn, clock, credentials);
  return createWorkspaceClient({
    host: standIn.workspaces.prod.host,
    token: () => Promise.resolve(token),
    transport,
    retry: 'never',
  });
}

/** A call as any client may make it, with the answer as it came. */
export async function call(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  url: string,
  token: string | undefined,
  body?: unknown,
): Promise<{ status: number; json: Record<string, unknown>; headers: Readonly<Record<string, string>> }> {
  const answer = await transport({
    method,
    url,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json: unknown = answer.text === '' ? {} : JSON.parse(answer.text);
  if (typeof json !== 'object' || json === null) throw new TypeError('Not a JSON object.');
  return { status: answer.status, json: { ...json }, headers: answer.headers };
}
