import { randomUUID } from 'node:crypto';

import * as z from 'zod/mini';

import { OamError } from '../domain/errors.ts';
import { type Endpoint, endpoints, type OperationId } from './endpoints.ts';
import { Problem } from './problem.ts';
import type { HttpTransport } from './transport.ts';

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

/** Calls the control plane's operations by id. */
export interface ControlPlaneClient {
  /**
   * @throws {ControlPlaneError} the problem that the control plane answered with.
   * @throws {OamError} `unreachable`, `timed_out`, `cancelled` from the transport; `not_the_control_plane` when the
   * answer is not of the API's shape.
   */
  call<Id extends OperationId>(operation: Id, input?: CallInput<Id>): Promise<CallOutput<Id>>;
}

/** What {@link createControlPlaneClient} needs. */
export interface ControlPlaneClientOptions {
  /** Origin of the control plane, without a trailing slash. */
  readonly baseUrl: string;
  /** The present access token (`aud` = OAM), or undefined when nobody is signed in. */
  readonly accessToken: () => Promise<string | undefined>;
  readonly transport: HttpTransport;
}

/** Creates a client over a transport. */
export function createControlPlaneClient(options: ControlPlaneClientOptions): ControlPlaneClient {
  return {
    async call(operation, input = {}) {
      const endpoint: Endpoint = endpoints[operation];
      const headers: Record<string, string> = { accept: 'application/json' };
      if (endpoint.auth === 'bearer') {
        const token = await options.accessToken();
        if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
      }
      if (endpoint.method === 'POST') {
        headers['content-type'] = 'application/json';
        headers['idempotency-key'] = input.idempotencyKey ?? randomUUID();
      }
      if (input.version !== undefined) headers['if-match'] = `"${input.version}"`;
      const answer = await options.transport({
        method: endpoint.method,
        url: options.baseUrl + pathOf(endpoint, input.params) + queryOf(input.query),
        headers,
        ...(endpoint.method === 'POST' && { body: JSON.stringify(input.body ?? {}) }),
        ...(input.signal && { signal: input.signal }),
      });
      return parseAnswer(answers[operation].response, answer.status, answer.text);
    },
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

function parseAnswer<Output>(schema: z.ZodMiniType<Output>, status: number, text: string): Output {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw notTheControlPlane(`status ${status}, not JSON`);
  }
  if (status >= 400) {
    const problem = Problem.safeParse(json);
    if (problem.success) throw new ControlPlaneError(problem.data);
    throw notTheControlPlane(`status ${status}`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw notTheControlPlane(z.prettifyError(parsed.error));
  return parsed.data;
}

function notTheControlPlane(detail: string): OamError {
  return new OamError(
    'not_the_control_plane',
    'The address answers, but not as a control plane of this version. Check the address in the settings.',
    { detail },
  );
}
