import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { type KoaContextWithOIDC, Provider } from 'oidc-provider';

import { OamError } from '../../domain/errors.ts';
import { silentLogger, type Logger } from '../../domain/logger.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { providerConfiguration } from './configuration.ts';
import { createDirectory } from './directory.ts';
import { createEphemeralStore } from './ephemeral-store.ts';
import { createInteractionHandler } from './interactions.ts';
import { OAM_AUDIENCE } from './people.ts';
import type { Played } from './token-shapes.ts';

export { approveDevice, signInHeadless } from './headless-sign-in.ts';
export { EDITOR_CLIENT_ID, EDITOR_SCOPES, OAM_AUDIENCE, PEOPLE, type Person } from './people.ts';
export type { Played } from './token-shapes.ts';

/** How the sandbox's identity provider is started. */
export interface IdentityProviderOptions {
  /** The port on 127.0.0.1; a free one unless told. */
  readonly port?: number;
  /** 600 unless told. */
  readonly accessTokenSeconds?: number;
  /** 300 unless told. */
  readonly idTokenSeconds?: number;
  /** Eight hours unless told. */
  readonly refreshTokenSeconds?: number;
  /** How long a device code waits for its person; 600 unless told. */
  readonly deviceCodeSeconds?: number;
  /** The least that the device flow's clients wait between two questions; 1 unless told, where providers say 5. */
  readonly devicePollSeconds?: number;
  /** Each refresh token is good for one use, and a second use revokes its whole family; true unless told. */
  readonly rotateRefreshTokens?: boolean;
  /** A refresh brings an ID token too; true unless told, and false with providers that give one at sign-in only. */
  readonly idTokenOnRefresh?: boolean;
  /** Puts another audience into access tokens, as a badly configured provider does. */
  readonly accessTokenAudience?: string | readonly string[];
  /** Gives access tokens the shape that a known provider's have; the sandbox's own unless told. */
  readonly plays?: Played;
  readonly logger?: Logger;
}

/** An identity provider that runs. */
export interface RunningIdentityProvider {
  /** `http://127.0.0.1:<port>` */
  readonly issuer: string;
  readonly port: number;
  /** From now on every request is answered with 503, as a provider that is down behind its balancer does. */
  pause(): void;
  /** From now on requests are taken and not answered, as by a provider that hangs; all of them, or those of one path. */
  stall(path?: string): void;
  /** Ends {@link RunningIdentityProvider.pause} and {@link RunningIdentityProvider.stall}: who waits is answered. */
  resume(): void;
  /** How many requests have been turned away while paused. */
  refusedRequests(): number;
  /** How many refresh tokens have been traded for new tokens, and how many were refused. */
  refreshes(): { readonly given: number; readonly refused: number };
  /** Ends every session and revokes every token of one person. */
  revokeSessions(sub: string): Promise<void>;
  /** Changes somebody's groups from the next token on; `overflow` makes the list too long to be carried. */
  setGroups(sub: string, groups: readonly string[] | 'overflow'): void;
  /**
   * A token signed with the provider's key. `iss`, `aud` (OAM's), `iat` and `exp` (five minutes) are filled in where
   * the claims do not name them.
   */
  mint(claims: JWTPayload): Promise<string>;
  close(): Promise<void>;
}

const SIGNING_ALGORITHM = 'RS256';
const SIGNING_KEY_ID = 'sandbox-1';
const MINTED_TOKEN_SECONDS = 300;

/** One for all providers of a process: making it takes longer than the rest of a start. */
let keyPair: ReturnType<typeof generateKeyPair> | undefined;

/**
 * Starts an OpenID provider for the four people of the sandbox, with pages for browsers, on 127.0.0.1. Its
 * sessions live as long as it runs, its key as long as the process.
 *
 * @throws {OamError} `port_taken` when the port is in use.
 */
export async function startIdentityProvider(
  options: IdentityProviderOptions = {},
): Promise<RunningIdentityProvider> {
  const logger = options.logger ?? silentLogger;
  const { privateKey } = await (keyPair ??= generateKeyPair(SIGNING_ALGORITHM, { extractable: true }));
  const signingKey = {
    ...(await exportJWK(privateKey)),
    kid: SIGNING_KEY_ID,
    alg: SIGNING_ALGORITHM,
    use: 'sig',
  };

  // The issuer carries the port, so the server listens before the provider exists; nobody knows the port until then.
  let answer: (request: IncomingMessage, response: ServerResponse) => Promise<void> = (_, response) =>
    Promise.resolve(answerUnavailable(response));
  let paused = false;
  let refusedRequests = 0;
  let given = 0;
  let refused = 0;
  let stalled: { readonly path: string | undefined; readonly over: PromiseWithResolvers<void> } | undefined;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (stalled && request.url?.startsWith(stalled.path ?? '/') === true) await stalled.over.promise;
    await answer(request, response);
  };
  const server = createServer((request, response) => {
    if (paused) {
      refusedRequests += 1;
      answerUnavailable(response);
      return;
    }
    serve(request, response).catch((error: unknown) => {
      logger.error('identity provider: request failed', { error: String(error) });
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  const port = await listen(server, options.port ?? 0);
  const issuer = `http://127.0.0.1:${port}`;

  const directory = createDirectory(issuer);
  const store = createEphemeralStore();
  const provider = new Provider(
    issuer,
    providerConfiguration({
      directory,
      store,
      signingKey,
      settings: {
        accessTokenSeconds: options.accessTokenSeconds ?? 600,
        idTokenSeconds: options.idTokenSeconds ?? 300,
        refreshTokenSeconds: options.refreshTokenSeconds ?? 8 * 60 * 60,
        deviceCodeSeconds: options.deviceCodeSeconds ?? 600,
        rotateRefreshTokens: options.rotateRefreshTokens ?? true,
        accessTokenAudience: options.accessTokenAudience,
        plays: options.plays ?? 'oidc',
      },
    }),
  );
  provider.on('server_error', (_ctx, error: Error) => {
    logger.error('identity provider: request failed', { error: error.message });
  });
  provider.use(async (ctx: KoaContextWithOIDC, next) => {
    await next();
    const body: unknown = ctx.body;
    if (ctx.path === '/device/auth' && ctx.status === 200 && typeof body === 'object') {
      ctx.body = { ...body, interval: options.devicePollSeconds ?? 1 };
    }
    const isRefresh = ctx.path === '/token' && ctx.oidc.params?.['grant_type'] === 'refresh_token';
    if (isRefresh && ctx.status === 200) given += 1;
    else if (isRefresh) refused += 1;
    if (isRefresh && options.idTokenOnRefresh === false && typeof body === 'object') {
      ctx.body = { ...body, id_token: undefined };
    }
  });

  const interactions = createInteractionHandler(provider, directory);
  const protocol = provider.callback();
  answer = async (request, response) => {
    if (!(await interactions(request, response))) await protocol(request, response);
  };

  return {
    issuer,
    port,
    pause() {
      paused = true;
    },
    stall(path) {
      stalled = { path, over: Promise.withResolvers() };
    },
    resume() {
      paused = false;
      stalled?.over.resolve();
      stalled = undefined;
    },
    refusedRequests: () => refusedRequests,
    refreshes: () => ({ given, refused }),
    revokeSessions(sub) {
      store.forgetAccount(sub);
      return Promise.resolve();
    },
    setGroups: (sub, groups) => {
      directory.setGroups(sub, groups);
    },
    mint(claims) {
      const nowSeconds = Math.floor(Date.now() / SECOND_MS);
      return new SignJWT({
        iss: issuer,
        aud: OAM_AUDIENCE,
        iat: nowSeconds,
        exp: nowSeconds + MINTED_TOKEN_SECONDS,
        ...claims,
      })
        .setProtectedHeader({ alg: SIGNING_ALGORITHM, kid: SIGNING_KEY_ID })
        .sign(privateKey);
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answerUnavailable(response: ServerResponse): void {
  response
    .writeHead(503, { 'content-type': 'text/plain; charset=utf-8' })
    .end('The identity provider is down for the moment.');
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new OamError(
        'port_taken',
        'This port is in use. Stop the program that uses it or choose another.',
        {
          detail: String(port),
          cause: error,
        },
      );
    }
    throw error;
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return address.port;
}
