import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { OamError } from '../domain/errors.ts';
import { SECOND_MS } from '../domain/time.ts';
import type { ListenerUid } from './peer.ts';
import type { BrokerRefusal } from './refusal.ts';

/**
 * More than the programs of one person open, and strangers beside them until they are known to be strangers; little enough
 * that one that runs away cannot exhaust us.
 */
const MAX_CONNECTIONS = 2_048;

const MAX_HEADER_BYTES = 8 * 1024;

/** A connection on which nothing moves is closed after this long; longer than any answer takes. */
const IDLE_MS = 15 * SECOND_MS;

/** What {@link listen} needs. */
export interface ListenOptions {
  readonly port: number;
  /** How long a client may take to send its whole request, in milliseconds. */
  readonly requestWithinMs: number;
  /** Tells whose a port is that is taken; nobody knows unless given. */
  readonly listenerUid: ListenerUid | undefined;
  /** Told of every connection before it has said anything. */
  readonly onConnection: (socket: Socket) => void;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  /** Told of what was refused before it was a request. */
  readonly onMalformed: (refusal: BrokerRefusal) => void;
}

/** An HTTP server that hands every request to one handler and answers what is not one in JSON by itself. */
export interface Listener {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens on 127.0.0.1.
 *
 * @throws {OamError} `port_taken`, `port_of_another_user`.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const server = createServer({
    // Node would answer a missing Host by itself, and not in JSON.
    requireHostHeader: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: options.requestWithinMs,
    requestTimeout: options.requestWithinMs,
    connectionsCheckingInterval: Math.min(SECOND_MS, options.requestWithinMs),
    keepAliveTimeout: 5 * SECOND_MS,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(IDLE_MS);
  server.on('connection', options.onConnection);
  server.on('request', options.onRequest);
  // Otherwise Node answers these by itself, without a body.
  server.on('checkContinue', options.onRequest);
  server.on('checkExpectation', options.onRequest);
  server.on('connect', (_request, socket) => {
    refuseRaw(socket, NO_TUNNEL);
    options.onMalformed(NO_TUNNEL);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const refusal = malformed(error.code ?? '');
    refuseRaw(socket, refusal);
    options.onMalformed(refusal);
  });

  try {
    server.listen(options.port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? await portTaken(options) : error;
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('The broker has no port.');

  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Whoever asked here before asks another user's program now, and may take what it says for ours. */
async function portTaken({ port, listenerUid }: ListenOptions): Promise<OamError> {
  const uid = await listenerUid?.(port).catch(() => undefined);
  const detail = String(port);
  return uid === undefined || uid === process.geteuid?.()
    ? new OamError('port_taken', "The broker's port is in use by another program.", { detail })
    : new OamError(
        'port_of_another_user',
        "A program of another user listens where this window's programs ask for credentials, and could answer them with a sign-in that is not yours. Stop those that began before the window was reloaded, and start them anew.",
        { detail },
      );
}

const NO_TUNNEL: BrokerRefusal = { code: 'method', status: 405, sentence: 'The broker answers GET only.' };

function malformed(code: string): BrokerRefusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { code: 'headers_too_long', status: 431, sentence: 'The request is too long.' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { code: 'request_too_slow', status: 408, sentence: 'The request took too long to arrive.' };
    default:
      return { code: 'not_http', status: 400, sentence: 'This is not an HTTP request.' };
  }
}

function refuseRaw(socket: Duplex, refusal: BrokerRefusal): void {
  const body = JSON.stringify({ error: refusal.code, message: refusal.sentence });
  socket.on('error', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${refusal.status} Refused`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  );
}
