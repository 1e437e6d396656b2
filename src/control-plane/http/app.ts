import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import * as z from 'zod/mini';

import { CancelledError, OamError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { endpoints, type OperationId } from '../../protocol/endpoints.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';
import type { Problem, ProblemCode } from '../../protocol/problem.ts';
import { callerOf } from '../audit/caller.ts';
import type { Actor } from '../audit/record.ts';
import type { RefusedTokens } from '../audit/refused-tokens.ts';
import { recordRefusal } from '../audit/refusals.ts';
import type { SessionLimitCheck } from '../authentication/session-limits.ts';
import type { SessionRecord } from '../audit/sessions.ts';
import { newestFacts, rememberPrincipal } from '../authentication/principals.ts';
import {
  type Bearer,
  TokenRefused,
  type RunnerFacts,
  type TokenVerifier,
} from '../authentication/token-verifier.ts';
import { storeNowMs } from '../changes/change.ts';
import type { Core, LiveCore } from '../core.ts';
import { streamEvents } from '../events/stream.ts';
import type { EventWatch } from '../events/watch.ts';
import { confine, NotForRunners } from '../runners/confine.ts';
import { isStorable } from '../store/storable.ts';
import { resumeRequestsOf } from '../requests/returning.ts';
import { MethodNotAllowed, methodsByAddress } from './allowed-methods.ts';
import { bodies, type Call, inputs, type Operations } from './call.ts';
import { bearerToken, expectedVersion, idempotencyKey } from './headers.ts';
import { bodyHash, type Intent } from './idempotency.ts';
import { type CallerLimits, TooManyRequests } from './limits.ts';
import { isLines, sendLines } from './lines.ts';
import {
  answerClientError,
  asInputError,
  BODY_LIMIT_BYTES,
  nothingHere,
  REQUEST_LIMIT_MS,
} from './malformed.ts';
import type { Metrics } from './metrics.ts';
import { toProblem } from './problems.ts';

/** What the HTTP side needs. */
export interface AppParts {
  readonly core: LiveCore;
  /** The operations of one call. */
  readonly operations: (core: Core) => Operations;
  readonly verifier: TokenVerifier;
  /** Lets in, or refuses, somebody whose token is good; adds what the token could not say. */
  readonly admit: (principal: Principal) => Promise<Principal>;
  readonly limits: CallerLimits;
  readonly sessionLimits: SessionLimitCheck;
  readonly sessions: SessionRecord;
  readonly refusedTokens: RefusedTokens;
  readonly watch: EventWatch;
  readonly metrics: Metrics;
  readonly redactor: Redactor;
}

/** Adds the protocol's operations to a server. */
export function createApp(parts: AppParts): FastifyInstance {
  const answerProblem = (reply: FastifyReply, error: unknown): FastifyReply => {
    const problem = toProblem(error, parts.redactor);
    if (problem.code === 'internal') logUnexpected(parts, error);
    return sendProblem(reply, problem, error);
  };
  const app = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_LIMIT_MS,
    forceCloseConnections: true,
    // Unknown members are left out anyway.
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'remove',
    // A stream would be opened that nobody can read.
    exposeHeadRoutes: false,
    clientErrorHandler: (error, socket) => {
      answerClientError(error, socket, parts.redactor);
    },
    frameworkErrors: (error, _request, reply) => {
      void answerProblem(reply, asInputError(error));
    },
  });
  // Fastify reads text, too; the API takes JSON only.
  app.removeContentTypeParser('text/plain');
  const methodsOf = methodsByAddress(app);
  const closing = new AbortController();
  app.addHook('preClose', (done) => {
    closing.abort();
    done();
  });
  const notHere = (request: FastifyRequest): OamError => {
    const methods = methodsOf(request.url);
    return methods.length === 0 ? nothingHere() : new MethodNotAllowed(methods.join(', '));
  };
  // Nobody is told what is wrong with their body where it would not have been read at all.
  app.setErrorHandler((error, request, reply) =>
    answerProblem(reply, request.is404 ? notHere(request) : asInputError(error)),
  );
  app.setNotFoundHandler((request, reply) => answerProblem(reply, notHere(request)));
  for (const id of operationIds()) addOperation(app, parts, id, closing.signal);
  return app;
}

function operationIds(): OperationId[] {
  return Object.keys(endpoints) as OperationId[];
}

function addOperation<Id extends OperationId>(
  app: FastifyInstance,
  parts: AppParts,
  id: Id,
  closing: AbortSignal,
): void {
  const endpoint: Endpoint = endpoints[id];
  app.route({
    method: endpoint.method,
    url: endpoint.path.replace(/\{(\w+)\}/g, ':$1'),
    // The whole answer to a failure is given here, where the operation and its caller are known.
    errorHandler: (error, request, reply) => {
      void refuse(parts, parts.core.atPresent(), { id, request, reply, error: asInputError(error) });
    },
    handler: async (request, reply) => {
      const core = parts.core.atPresent();
      let bearer: Bearer | undefined;
      try {
        if (endpoint.auth === 'bearer') bearer = await authenticate(parts, core, request, id);
        if (id === 'redeemRunner') await parts.limits.countAddress(callerOf(request).address);
        if (bearer !== undefined) await confine(core, bearer, id, request.params);
        const call = parseCall(id, endpoint, request, bearer, goneSignal(reply));
        if (id === 'listEvents' && acceptsStream(request) && bearer !== undefined) {
          return await openStream(parts, request, reply, bearer, closing);
        }
        const answer: unknown = await parts.operations(core)[id](call);
        parts.metrics.count('oam_http_requests_total', {
          operation: id,
          status: String(endpoint.successStatus),
        });
        if (isLines(answer)) return sendLines(reply, answer, parts.core.logger);
        const version = versionOf(answer);
        if (version !== undefined) reply.header('etag', `"${version}"`);
        return await reply.code(endpoint.successStatus).header('cache-control', 'no-store').send(answer);
      } catch (error) {
        // Nobody waits for the answer any more, and nothing was done.
        if (error instanceof CancelledError) return reply.hijack();
        return refuse(parts, core, {
          ...{ id, request, reply, error },
          ...{ caller: bearer?.principal, runner: bearer?.runner },
        });
      }
    },
  });
}

async function authenticate(
  parts: AppParts,
  core: Core,
  request: FastifyRequest,
  operation: OperationId,
): Promise<Bearer> {
  const { verifier, limits, sessionLimits, admit, sessions } = parts;
  const token = bearerToken(request.headers);
  if (token === undefined) {
    throw new TokenRefused('not_signed_in', 'You are not signed in. Sign in and try again.');
  }
  const nowMs = await storeNowMs(core.db);
  const bearer = await verifier.verify(token, nowMs);
  await limits.count(bearer.principal);
  await sessionLimits.expectWithin(bearer, operation, nowMs);
  const { principal, news } = await rememberPrincipal(core.db, await admit(bearer.principal));
  if (news) await resumeRequestsOf(core, principal);
  await sessions.seen(bearer, callerOf(request));
  return { ...bearer, principal };
}

function parseCall<Id extends OperationId>(
  id: Id,
  endpoint: Endpoint,
  request: FastifyRequest,
  bearer: Bearer | undefined,
  signal: AbortSignal,
): Call<Id> {
  const params = parse(inputs[id].params, request.params, 'path');
  const query = parse(inputs[id].query, request.query, 'query');
  const noBody = z.custom<Call<Id>['body']>((value) => value === undefined);
  const body = parse(
    bodies[id].body ?? noBody,
    endpoint.body === undefined ? undefined : request.body === undefined ? {} : request.body,
    'body',
  );
  refuseUnstorable(params, query, body);
  const known = (): Bearer => {
    if (bearer === undefined) throw new TypeError(`A public operation has no caller: ${id}`);
    return bearer;
  };
  const key = endpoint.method === 'POST' ? idempotencyKey(request.headers) : '';
  const intent: Omit<Intent, 'caller'> = {
    operation: id,
    key,
    bodyHash: bodyHash(Json.parse(params), body === undefined ? null : Json.parse(body)),
  };
  return {
    params,
    query,
    body,
    bearer: known,
    intent: () => ({ ...intent, caller: known().principal }),
    signal,
    version: endpoint.takesVersion ? expectedVersion(request.headers) : undefined,
  };
}

/** Fires when the connection closes before it was answered. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}

/** Anything that JSON can say; `undefined` members go. */
const Json = z.pipe(
  z.transform((value) => JSON.parse(JSON.stringify(value)) as unknown),
  z.json(),
);

function parse<Output>(schema: z.ZodMiniType<Output>, value: unknown, where: string): Output {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new OamError('bad_request', 'The request is not of the form that the API describes. Correct it.', {
    detail: `${where}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`,
  });
}

/** What the store cannot hold nobody means. */
function refuseUnstorable(...values: unknown[]): void {
  let unstorable = false;
  JSON.stringify(values, (_, value: unknown) => {
    if (typeof value === 'string') unstorable ||= !isStorable(value);
    return value;
  });
  if (unstorable) {
    throw new OamError(
      'bad_request',
      'The request holds a character that cannot be stored: NUL, or half of one. Leave it out.',
    );
  }
}

async function openStream(
  parts: AppParts,
  request: FastifyRequest,
  reply: FastifyReply,
  bearer: Bearer,
  closing: AbortSignal,
): Promise<FastifyReply> {
  const { core, admit, limits } = parts;
  const taken = limits.takeStream(bearer.principal);
  try {
    const last = request.headers['last-event-id'];
    const query = parse(inputs.listEvents.query, request.query, 'query');
    const nowMs = await storeNowMs(core.db);
    await streamEvents(reply.raw, {
      atPresent: core.atPresent,
      watch: parts.watch,
      reader: async () => newestFacts(core.db, await admit(bearer.principal)),
      after: typeof last === 'string' && last !== '' ? last : query.after,
      endAfterMs: bearer.expiresAtMs - nowMs,
      signal: closing,
      opened: () => {
        reply.hijack();
      },
    });
    return reply;
  } finally {
    taken[Symbol.dispose]();
  }
}

interface Failure {
  readonly id: OperationId;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly error: unknown;
  readonly caller?: Actor | undefined;
  /** The program that called in the caller's place. */
  readonly runner?: RunnerFacts | undefined;
}

async function refuse(
  parts: AppParts,
  core: Core,
  { id: operation, request, reply, error, caller, runner }: Failure,
): Promise<FastifyReply> {
  const { metrics } = parts;
  const problem = toProblem(error, parts.redactor);
  // The answer has begun: a stream that breaks just ends, and its reader comes back.
  if (reply.sent) {
    if (problem.code === 'internal') logUnexpected(parts, error);
    return reply;
  }
  metrics.count('oam_http_requests_total', { operation, status: String(problem.status) });
  metrics.count('oam_refusals_total', { code: problem.code });
  core.logger.info('Refused.', { operation, code: problem.code });
  if (problem.code === 'internal') logUnexpected(parts, error);
  if (error instanceof TokenRefused) {
    if (bearerToken(request.headers) !== undefined) {
      const { code, principal: actor } = error;
      await parts.refusedTokens.note({ code, actor, door: operation, caller: callerOf(request) });
    }
    return sendProblem(reply, problem, error);
  }
  if (operation === 'redeemRunner' && WITH_A_CODE.has(problem.code)) {
    const { code } = problem;
    await parts.refusedTokens.note({ code, door: operation, caller: callerOf(request) });
  }
  const asked = AskedFor.safeParse(request.body);
  await recordRefusal(core, {
    operation,
    event: error instanceof NotForRunners ? 'runner.refused' : undefined,
    code: problem.code,
    actor: caller,
    id: IdInPath.safeParse(request.params).data?.id,
    roleId: asked.data?.roleId,
    detail: {
      reason: problem.detail,
      policyVersion: core.policy.hash,
      ...(runner !== undefined && { runnerId: runner.id }),
      ...(problem.explanation && { explanation: problem.explanation }),
      ...(asked.data?.minutes !== undefined && { minutes: asked.data.minutes }),
    },
  });
  return sendProblem(reply, problem, error);
}

function sendProblem(reply: FastifyReply, problem: Problem, error: unknown): FastifyReply {
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (error instanceof TooManyRequests) void reply.header('retry-after', error.retryAfterSeconds);
  if (error instanceof MethodNotAllowed) void reply.header('allow', error.allow);
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problem));
}

/** What whoever has a code is refused with. */
const WITH_A_CODE: ReadonlySet<ProblemCode> = new Set(['code_refused', 'grant_not_active']);

const AskedFor = z.object({ roleId: z.optional(z.string()), minutes: z.optional(z.number()) });

const IdInPath = z.object({ id: z.string() });

function logUnexpected({ core, redactor }: AppParts, error: unknown): void {
  core.logger.error('Something unexpected happened.', {
    reason: redactor.redact(error instanceof Error ? (error.stack ?? error.message) : 'unknown'),
  });
}

function acceptsStream(request: FastifyRequest): boolean {
  return request.headers.accept?.includes('text/event-stream') === true;
}

const Versioned = z.object({ version: z.int() });

function versionOf(answer: unknown): number | undefined {
  return Versioned.safeParse(answer).data?.version;
}
