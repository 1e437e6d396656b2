import { setTimeout as delay } from 'node:timers/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { OamError } from '../../../domain/errors.ts';
import type { Clock } from '../../../domain/time.ts';
import { nameOf, type Principal } from '../account/directory.ts';
import type { IssuedToken } from '../account/tokens.ts';
import type { Place } from '../places.ts';
import type { InjectedFailure, RecordedRequest } from '../options.ts';
import type { World } from '../world.ts';
import {
  apiFailure,
  ApiFailure,
  credentialNotSent,
  invalidAccessToken,
  oauthFailure,
  scimFailure,
} from './failures.ts';
import type { AuthenticatedCall, Call, Route, Router } from './router.ts';
import type { Reply } from './reply.ts';
import type { Throttle } from './throttle.ts';

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** What all doors share. */
export interface Doorway {
  readonly world: World;
  readonly clock: Clock;
  readonly throttle: Throttle;
  readonly failures: InjectedFailure[];
  /** How long every answer takes, in milliseconds. */
  answerDelayMs: number;
  readonly record: (request: RecordedRequest) => void;
}

/** A door that is open. */
export interface Door {
  readonly host: string;
  close(): Promise<void>;
}

/**
 * Serves a place's routes on loopback.
 *
 * @throws {OamError} `port_taken` when the port is in use.
 */
export async function openDoor(doorway: Doorway, place: Place, router: Router, port: number): Promise<Door> {
  const server = createServer((request, response) => {
    void serve(doorway, place, router, request, response).catch(() => {
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(asPortError(error, port));
    });
    server.listen(port, '127.0.0.1', () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('Not a TCP address.');
  return { host: `http://127.0.0.1:${address.port}`, close: () => shut(server) };
}

function asPortError(error: Error, port: number): Error {
  if (!('code' in error) || error.code !== 'EADDRINUSE') return error;
  return new OamError('port_taken', 'This port is in use. Stop the program that uses it or choose another.', {
    detail: String(port),
    cause: error,
  });
}

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}

async function serve(
  doorway: Doorway,
  place: Place,
  router: Router,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const atMs = doorway.clock.nowMs();
  const url = new URL(request.url ?? '/', 'http://stand-in.invalid');
  const method = request.method ?? 'GET';
  const text = await readBody(request);
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  const call: Call = {
    place,
    method,
    path: url.pathname,
    params: {},
    query: url.searchParams,
    headers,
    text,
  };
  const caller = callerOf(doorway.world, call);
  if (doorway.answerDelayMs > 0) await delay(doorway.answerDelayMs);
  const reply = await answer(doorway, router, call, caller);
  doorway.record({
    atMs,
    host: place,
    method,
    path: url.pathname,
    status: reply === 'cut' ? 0 : reply.status,
    principal: typeof caller === 'object' ? nameOf(caller.principal) : undefined,
    runBy:
      typeof caller === 'object' && caller.principal.kind === 'role'
        ? nameOf(caller.principal.runBy)
        : undefined,
    userAgent: headers['user-agent'] ?? '',
  });
  if (reply === 'cut') response.destroy();
  else send(response, reply);
}

async function answer(doorway: Doorway, router: Router, call: Call, caller: Caller): Promise<Reply | 'cut'> {
  const failure = takeFailure(doorway.failures, call);
  if (failure !== undefined && failure.when !== 'after') return played(failure);
  const reply = await handled(doorway, router, call, caller);
  return failure === undefined ? reply : played(failure);
}

async function handled(doorway: Doorway, router: Router, call: Call, caller: Caller): Promise<Reply> {
  const found = router.match(call.method, call.path);
  try {
    if (found === undefined) {
      if (caller === 'none') throw credentialNotSent();
      throw apiFailure(404, 'ENDPOINT_NOT_FOUND', `No API found for '${call.method} ${call.path}'`);
    }
    const { route, params } = found;
    const principal = typeof caller === 'object' ? nameOf(caller.principal) : undefined;
    const waitSeconds = doorway.throttle.retryAfterSeconds(call.place, route.rate, principal);
    if (waitSeconds !== undefined) return throttled(route, waitSeconds);
    if (route.open) return await route.handle({ ...call, params });
    if (caller === 'none') throw credentialNotSent();
    if (caller === 'bad') throw invalidAccessToken();
    const authenticated: AuthenticatedCall = {
      ...call,
      params,
      caller: caller.principal,
      token: caller.token,
    };
    return await route.handle(authenticated);
  } catch (error) {
    if (error instanceof ApiFailure) return error.reply;
    const message = error instanceof Error ? error.message : String(error);
    return apiFailure(500, 'INTERNAL_ERROR', message).reply;
  }
}

type Caller = { readonly principal: Principal; readonly token: AuthenticatedCall['token'] } | 'none' | 'bad';

function callerOf(world: World, call: Call): Caller {
  const header = /^Bearer (.+)$/i.exec(call.headers['authorization'] ?? '');
  if (header?.[1] === undefined) return 'none';
  const token = world.tokens.find(header[1], call.place);
  const principal = token === undefined ? undefined : actorOf(world, token);
  return token === undefined || principal?.active !== true ? 'bad' : { principal, token };
}

/**
 * Who a token stands for. Whether Databricks looks at the membership again while an assumed role's token lives is not
 * known: the stand-in takes the worse of both, and does not.
 */
function actorOf({ directory }: World, { principalId, assumedGroupId }: IssuedToken): Principal | undefined {
  const principal = directory.principal(principalId);
  if (principal === undefined || assumedGroupId === undefined) return principal;
  return directory.roleOf(assumedGroupId, principal);
}

function takeFailure(failures: InjectedFailure[], call: Call): InjectedFailure | undefined {
  const index = failures.findIndex(
    (failure) =>
      (failure.path === undefined || failure.path.test(call.path)) &&
      (failure.method === undefined || failure.method === call.method),
  );
  const failure = failures[index];
  if (failure === undefined) return undefined;
  if (failure.count > 1) failures[index] = { ...failure, count: failure.count - 1 };
  else failures.splice(index, 1);
  return failure;
}

function played(failure: InjectedFailure): Reply | 'cut' {
  if (failure.status === 0) return 'cut';
  const codes: Readonly<Record<number, string>> = {
    400: 'BAD_REQUEST',
    403: 'PERMISSION_DENIED',
    404: 'RESOURCE_DOES_NOT_EXIST',
    409: 'RESOURCE_CONFLICT',
    429: 'REQUEST_LIMIT_EXCEEDED',
    500: 'INTERNAL_ERROR',
    503: 'TEMPORARILY_UNAVAILABLE',
    504: 'DEADLINE_EXCEEDED',
  };
  const code = codes[failure.status] ?? 'UNKNOWN';
  const { reply } = apiFailure(failure.status, code, 'The service failed to answer, as it was told to.');
  if (failure.status !== 429 && failure.status !== 503) return reply;
  return { ...reply, headers: { ...reply.headers, 'retry-after': String(failure.retryAfterSeconds ?? 1) } };
}

function throttled(route: Route, seconds: number): Reply {
  const words = 'Current request rate exceeds the limit. Please slow down and retry after some time.';
  const failures = {
    scim: () => scimFailure(429, words),
    oauth: () => oauthFailure('invalid_request', 'Temporarily throttled, too many requests', 429),
    api: () => apiFailure(429, 'REQUEST_LIMIT_EXCEEDED', words),
  };
  const { reply } = failures[route.complains ?? 'api']();
  return { ...reply, headers: { ...reply.headers, 'retry-after': String(seconds) } };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new RangeError('The body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, reply: Reply): void {
  const body = reply.text ?? (reply.body === undefined ? '' : JSON.stringify(reply.body));
  const type = reply.contentType ?? 'application/json';
  response.writeHead(reply.status, {
    ...(body !== '' && { 'content-type': `${type}; charset=utf-8` }),
    'content-length': Buffer.byteLength(body),
    server: 'databricks',
    'x-content-type-options': 'nosniff',
    ...reply.headers,
  });
  response.end(body);
}
