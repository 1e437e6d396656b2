import { randomUUID } from 'node:crypto';

import * as z from 'zod/mini';

import { OamError } from '../domain/errors.ts';
import { endpoints, type OperationId } from './endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { Problem } from './problem.ts';
import type { HttpRequest, HttpTransport } from './transport.ts';

type Operation<Id extends OperationId> = (typeof endpoints)[Id];

/** What an operation takes, as far as it takes anything. */
export interface CallInput<Id extends OperationId> {
  readonly params?: z.input<Operation<Id>['params']>;
  readonly query?: z.input<Operation<Id>['query']>;
  readonly body?: Operation<Id>['body'] extends z.ZodMiniType ? z.input<Operation<Id>['body']> : never;
  /** The version that the caller saw; sent as `If-Match`. */
  readonly version?: number;
  /** The same key for the same intent: a second click or a retry has one effect. Random unless given. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** What an operation answers. */
export type CallOutput<Id extends OperationId> = z.output<Operation<Id>['response']>;

/** The table again, seen so that the type checker relates an operation id to its answer. */
const answers: { readonly [Id in OperationId]: { readonly response: z.ZodMiniType<CallOutput<Id>> } } =
  endpoints;

/** A problem that the control plane answered with. Its `code` is a `ProblemCode`, its sentence the problem's detail. */
export class ControlPlaneError extends OamError {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.code, problem.detail);
    this.name = 'ControlPlaneError';
    this.problem = problem;
  }
}

/** The operations that answer line by line: see `createLinesClient`. */
export type LinesOperationId = {
  [Id in OperationId]: Operation<Id> extends { lines: true } ? Id : never;
}[OperationId];

/** Calls the control plane's operations by id. */
export interface ControlPlaneClient {
  /**
   * @throws {ControlPlaneError} the problem that the control plane answered with.
   * @throws {OamError} `unreachable`, `timed_out`, `cancelled` from the transport; `not_the_control_plane` when the
   * answer is not of the API's shape.
   */
  call<Id extends Exclude<OperationId, LinesOperationId>>(
    operation: Id,
    input?: CallInput<Id>,
  ): Promise<CallOutput<Id>>;
}

/** Where a control plane is, and who calls it. */
export interface CallerOptions {
  /** Origin of the control plane, without a trailing slash. */
  readonly baseUrl: string;
  /** The present access token (`aud` = OAM), or undefined when nobody is signed in. */
  readonly accessToken: () => Promise<string | undefined>;
}

/** What {@link createControlPlaneClient} needs. */
export interface ControlPlaneClientOptions extends CallerOptions {
  readonly transport: HttpTransport;
}

/** Creates a client over a transport. */
export function createControlPlaneClient(options: ControlPlaneClientOptions): ControlPlaneClient {
  return {
    async call(operation, input = {}) {
      const answer = await options.transport(await requestOf(options, operation, input));
      return parseAnswer(answers[operation].response, answer.status, answer.text);
    },
  };
}

/** The exchange that an operation is. */
export async function requestOf<Id extends OperationId>(
  { baseUrl, accessToken }: CallerOptions,
  operation: Id,
  input: CallInput<Id>,
): Promise<HttpRequest> {
  const endpoint: Endpoint = endpoints[operation];
  const headers: Record<string, string> = { accept: 'application/json' };
  if (endpoint.auth === 'bearer') {
    const token = await accessToken();
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  }
  if (endpoint.method === 'POST') {
    headers['content-type'] = 'application/json';
    headers['idempotency-key'] = input.idempotencyKey ?? randomUUID();
  }
  if (input.version !== undefined) headers['if-match'] = `"${input.version}"`;
  return {
    method: endpoint.method,
    url: baseUrl + pathOf(endpoint, input.params) + queryOf(input.query),
    headers,
    ...(endpoint.method === 'POST' && { body: JSON.stringify(input.body ?? {}) }),
    ...(input.signal && { signal: input.signal }),
  };
}

function pathOf(endpoint: Endpoint, params: unknown): string {
  const values = z.record(z.string(), z.string()).parse(params ?? {});
  return endpoint.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new TypeError(`The path parameter is missing: ${name}`);
    return encodeURIComponent(value);
  });
}

function queryOf(query: unknown): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? '' : `?${search.toString()}`;
}

/** What a proxy or a load balancer answers with while what stands behind it is away, in words and pages of its own. */
const GATEWAY_STATUSES: readonly number[] = [502, 503, 504];

/**
 * What an answer says.
 *
 * @throws {ControlPlaneError}
 * @throws {OamError} `not_the_control_plane`; `unreachable` where something that stands before it says that it is away.
 */
export function parseAnswer<Output>(schema: z.ZodMiniType<Output>, status: number, text: string): Output {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw noProblem(status, `status ${status}, not JSON`);
  }
  if (status >= 400) {
    const problem = Problem.safeParse(json);
    throw problem.success ? new ControlPlaneError(problem.data) : noProblem(status, `status ${status}`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw notTheControlPlane(z.prettifyError(parsed.error));
  return parsed.data;
}

function noProblem(status: number, detail: string): OamError {
  if (!GATEWAY_STATUSES.includes(status)) return notTheControlPlane(detail);
  return new OamError(
    'unreachable',
    'What stands before the control plane says that it is away. Try again in a moment.',
    { detail },
  );
}

function notTheControlPlane(detail: string): OamError {
  return new OamError(
    'not_the_control_plane',
    'The address answers, but not as a control plane of this version. Check the address in the settings.',
    { detail },
  );
}
