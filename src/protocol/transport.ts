import type { Readable } from 'node:stream';

import type { AxiosInstance, AxiosRequestConfig } from 'axios';

import { CancelledError, OamError } from '../domain/errors.ts';
import { SECOND_MS } from '../domain/time.ts';

/** One HTTP exchange as the rooms below the servers see it. Any status is an answer, not an error. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is; the caller sets `content-type`. */
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Gives up after this long; 15 seconds unless told. */
  readonly timeoutMs?: number;
}

/** What came back. Header names are lower case. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/**
 * Carries a request. Redirects are not followed: a token that follows one ends up with a stranger.
 *
 * @throws {OamError} `unreachable` when no answer came (refused, reset, name not found, certificate).
 * @throws {OamError} `timed_out` when none came in time.
 * @throws {CancelledError} when `signal` fired.
 */
export type HttpTransport = (request: HttpRequest) => Promise<HttpResponse>;

/** An answer whose text comes piece by piece. */
export interface HttpStreamResponse extends Omit<HttpResponse, 'text'> {
  /** @throws {OamError} `unreachable` where the connection breaks before the end. */
  readonly text: AsyncIterable<string>;
}

/**
 * Carries a request whose answer is too large to be held at once; `timeoutMs` is for its beginning. Throws as
 * {@link HttpTransport} does.
 */
export type HttpStream = (request: HttpRequest) => Promise<HttpStreamResponse>;

/** How long an exchange may take unless the request says otherwise, in milliseconds. */
export const DEFAULT_TIMEOUT_MS = 15 * SECOND_MS;

/** More than any answer of Databricks' lists that we page through. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/**
 * The transport over axios, which is loaded with the first request because it is the largest dependency of the
 * editor's start.
 */
export function axiosTransport(): HttpTransport {
  return async (request) => {
    const { data, ...head } = await exchange<string>(request, {
      maxContentLength: MAX_ANSWER_BYTES,
      responseType: 'text',
      transformResponse: (text: unknown) => text,
    });
    return { ...head, text: data };
  };
}

/** {@link axiosTransport} for answers that are read as they come. */
export function axiosStream(): HttpStream {
  return async (request) => {
    const { data, ...head } = await exchange<Readable>(request, { responseType: 'stream' });
    return { ...head, text: piecesOf(data, request.url) };
  };
}

async function* piecesOf(answer: Readable, url: string): AsyncGenerator<string> {
  answer.setEncoding('utf8');
  try {
    for await (const piece of answer) yield String(piece);
  } catch (error) {
    throw asTransportError(error, url);
  }
}

async function exchange<Data>(
  request: HttpRequest,
  options: AxiosRequestConfig,
): Promise<Omit<HttpResponse, 'text'> & { data: Data }> {
  const axios = await loaded();
  try {
    const answer = await axios.request<Data>({
      ...options,
      method: request.method,
      url: request.url,
      ...(request.headers && { headers: { ...request.headers } }),
      ...(request.body !== undefined && { data: request.body }),
      ...(request.signal && { signal: request.signal }),
      // A proxy cannot reach this machine's own addresses, and must not see what goes there.
      ...(isLoopback(request.url) && { proxy: false }),
      timeout: request.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    });
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined && value !== null) headers[name.toLowerCase()] = String(value);
    }
    return { status: answer.status, headers, data: answer.data };
  } catch (error) {
    throw asTransportError(error, request.url);
  }
}

let loading: Promise<AxiosInstance> | undefined;

function loaded(): Promise<AxiosInstance> {
  loading ??= import('axios').then(({ default: axios }) =>
    axios.create({ adapter: 'http', maxRedirects: 0, validateStatus: () => true }),
  );
  return loading;
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function asTransportError(error: unknown, url: string): OamError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const { host } = new URL(url);
  if (code === 'ERR_CANCELED') return new CancelledError();
  if (code === 'ECONNABORTED' || code === 'ETIMEDOUT') {
    return new OamError('timed_out', 'The server took too long to answer. Try again in a moment.', {
      detail: host,
      cause: error,
    });
  }
  return new OamError('unreachable', 'The server could not be reached. Check the address and your network.', {
    detail: `${host}, ${code}`,
    cause: error,
  });
}
