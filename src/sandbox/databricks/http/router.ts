import type { RateClass } from '../options.ts';
import type * as z from 'zod/mini';

import type { Principal } from '../account/directory.ts';
import type { IssuedToken } from '../account/tokens.ts';
import type { Place } from '../places.ts';
import { apiFailure } from './failures.ts';
import type { Reply } from './reply.ts';

/** A call as a route sees it. */
export interface Call {
  readonly place: Place;
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The body as text. */
  readonly text: string;
}

/** A call with a good token. */
export interface AuthenticatedCall extends Call {
  readonly caller: Principal;
  readonly token: IssuedToken;
}

interface RouteBase {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `{name}` stands for one segment. */
  readonly path: string;
  /** The form in which the area complains; the API's unless given. */
  readonly complains?: 'api' | 'scim' | 'oauth';
  readonly rate?: RateClass;
}

/** One operation of the API. */
export type Route =
  | (RouteBase & { readonly open: true; handle(call: Call): Reply | Promise<Reply> })
  | (RouteBase & { readonly open?: false; handle(call: AuthenticatedCall): Reply | Promise<Reply> });

/** Finds the route of a call. */
export class Router {
  readonly #routes: { readonly route: Route; readonly pattern: RegExp }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  }

  match(method: string, path: string): { route: Route; params: Record<string, string> } | undefined {
    for (const { route, pattern } of this.#routes) {
      if (route.method !== method) continue;
      const groups = pattern.exec(path)?.groups;
      if (groups === undefined) continue;
      try {
        const params = Object.fromEntries(
          Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]),
        );
        return { route, params };
      } catch {
        return undefined;
      }
    }
    return undefined;
  }
}

function patternOf(path: string): RegExp {
  const source = path
    .split('/')
    .map((segment) =>
      segment
        .replace(/[.*+?^$()|[\]\\]/g, '\\$&')
        .replace(/\{(\w+)\}/g, (_, name: string) => `(?<${name}>[^/]+)`),
    )
    .join('/');
  // The empty named group makes `groups` an object for paths without parameters, too.
  return new RegExp(`^(?<path_>)${source}/?$`);
}

/** The body by a schema. A body of another shape is refused in the API's words. */
export function parseBody<Output>(schema: z.ZodMiniType<Output>, call: Call): Output {
  let json: unknown;
  try {
    json = call.text === '' ? {} : JSON.parse(call.text);
  } catch {
    throw apiFailure(
      400,
      'MALFORMED_REQUEST',
      'Invalid JSON given in the body of the request - failed to parse given JSON',
    );
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw apiFailure(
      400,
      'INVALID_PARAMETER_VALUE',
      `Invalid value for ${issue?.path.join('.') ?? 'body'}: ${issue?.message ?? ''}`,
    );
  }
  return parsed.data;
}

/** A parameter of the path; its absence is a mistake in the route. */
export function param(call: Call, name: string): string {
  const value = call.params[name];
  if (value === undefined) throw new TypeError(`No such parameter: ${name}`);
  return value;
}

/**
 * A page of rows. Page tokens are opaque to callers; a forged one is refused.
 */
export function pageOf<Row>(
  rows: readonly Row[],
  pageToken: string | null | undefined,
  size: number,
): { readonly rows: Row[]; readonly next: string | undefined } {
  let start = 0;
  if (pageToken !== null && pageToken !== undefined && pageToken !== '') {
    const found = /^after:(\d+)$/.exec(Buffer.from(pageToken, 'base64url').toString());
    if (found?.[1] === undefined) throw apiFailure(400, 'INVALID_PARAMETER_VALUE', 'Invalid page token.');
    start = Number(found[1]);
  }
  const end = start + size;
  const next = end < rows.length ? Buffer.from(`after:${end}`).toString('base64url') : undefined;
  return { rows: rows.slice(start, end), next };
}

/** A whole number from the query, within bounds, or its default. */
export function wholeNumber(
  query: URLSearchParams,
  name: string,
  bounds: { readonly min: number; readonly max: number; readonly otherwise: number },
): number {
  const text = query.get(name);
  if (text === null || text === '') return bounds.otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < bounds.min) {
    throw apiFailure(400, 'INVALID_PARAMETER_VALUE', `Invalid value for ${name}: ${text}`);
  }
  return Math.min(value, bounds.max);
}
