import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

import * as z from 'zod/mini';

import { OamError } from '../../domain/errors.ts';
import type { Redactor } from '../../domain/redaction.ts';
import { toProblem } from './problems.ts';

/** The largest body that is read, in bytes. */
export const BODY_LIMIT_BYTES = 64 * 1024;

/** How long a client may take to send a request, in milliseconds. */
export const REQUEST_LIMIT_MS = 30_000;

const FrameworkError = z.object({ statusCode: z.int() });

/** What Fastify itself finds wrong with a request, in our words. */
export function asInputError(error: unknown): unknown {
  const status = FrameworkError.safeParse(error).data?.statusCode;
  if (error instanceof OamError || status === undefined || status >= 500) return error;
  switch (status) {
    case 413:
      return new OamError('body_too_large', 'The request is too large. Shorten its texts.', {
        detail: `at most ${BODY_LIMIT_BYTES} bytes`,
      });
    // An address that is too long for any of ours.
    case 414:
      return nothingHere();
    case 415:
      return new OamError(
        'unsupported_media_type',
        'The API takes JSON. Send it with Content-Type: application/json.',
      );
    default:
      return new OamError('bad_request', 'The request is not JSON. Send JSON, and say so in Content-Type.');
  }
}

/** What is answered where no operation has the address. */
export function nothingHere(): OamError {
  return new OamError('not_found', 'There is nothing at this address. Look it up in /api/v1/openapi.json.');
}

/** Answers what is no HTTP, too long or too slow: no request came of it, so there is nothing but the connection. */
export function answerClientError(
  error: Error & { code?: string },
  socket: Socket,
  redactor: Redactor,
): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const problem = toProblem(connectionError(error.code), redactor);
  const body = JSON.stringify(problem);
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function connectionError(code: string | undefined): OamError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new OamError('headers_too_large', "The request's headers are too long. Shorten them.");
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new OamError('request_too_slow', 'The request took too long to arrive. Send it again.', {
      detail: `at most ${REQUEST_LIMIT_MS} ms`,
    });
  }
  return new OamError('bad_request', 'This is not HTTP. Send a request of HTTP/1.1.');
}
