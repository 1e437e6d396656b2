import * as http from 'node:http';
import * as https from 'node:https';
import type { LookupFunction } from 'node:net';

import { type CheckedAddress, checkDestination, type Resolve } from './destination.ts';

/** A question to a callback, ready to be sent. */
export interface Sending {
  readonly url: URL;
  /** Hosts that may lie in a private net. */
  readonly allowPrivate: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What came of it. */
export type Outcome =
  | { readonly kind: 'answered'; readonly text: string }
  | {
      readonly kind: 'failed';
      /** In words that people understand, without a full stop. */
      readonly reason: string;
      /** For the log: what the words leave out. */
      readonly detail?: string;
    };

/**
 * Sends a question and waits for its answer, as long as the signal lets it.
 *
 * @throws {DOMException} the signal's reason, once it fires.
 */
export type Exchange = (sending: Sending, signal: AbortSignal) => Promise<Outcome>;

/** What an {@link Exchange} stands on. */
export interface ExchangeParts {
  readonly resolve: Resolve;
  /** Certificates to trust in place of the machine's, in PEM. */
  readonly ca?: string;
}

/** More than a yes and its reasons need. */
export const MAX_ANSWER_BYTES = 16 * 1024;

const MAX_HEADER_BYTES = 8 * 1024;

/**
 * Exchanges with callbacks over connections of their own: to the very addresses that were checked, with the certificate
 * of the name. Redirects are not followed, and no proxy is used: it would resolve the name anew, out of our sight.
 */
export function createExchange({ resolve, ca }: ExchangeParts): Exchange {
  return async (sending, signal) => {
    const { url, allowPrivate } = sending;
    const destination = await orAbort(checkDestination(url, allowPrivate, resolve), signal);
    switch (destination.kind) {
      case 'unknown':
        return { kind: 'failed', reason: 'its name is not known' };
      case 'closed':
        return {
          kind: 'failed',
          reason: 'its name leads to an address that callbacks may not go to',
          detail: destination.address,
        };
      case 'open':
        return post(sending, destination.addresses, ca, signal);
    }
  };
}

/** A resolver cannot be stopped; it need not be waited for. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}

function post(
  { url, headers, body }: Sending,
  addresses: readonly CheckedAddress[],
  ca: string | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options: https.RequestOptions = {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body), accept: 'application/json' },
      // One of its own: it knows of no proxy, and keeps no connection for later.
      agent: false,
      lookup: pinned(addresses),
      maxHeaderSize: MAX_HEADER_BYTES,
      signal,
      rejectUnauthorized: true,
      ...(ca !== undefined && { ca }),
    };
    const failed = (error: Error): void => {
      if (signal.aborted) reject(signal.reason as Error);
      else resolve(failureOf(error));
    };
    const request = (url.protocol === 'https:' ? https : http).request(url, options, (answer) => {
      answer.on('error', failed);
      read(answer, resolve);
    });
    request.on('error', failed);
    request.end(body);
  });
}

/** Answers a connection's question for the name with what was checked, and never asks anew. */
function pinned(addresses: readonly CheckedAddress[]): LookupFunction {
  return (_host, { all }, callback) => {
    const [first] = addresses;
    if (all === true || first === undefined) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
}

function read(answer: http.IncomingMessage, done: (outcome: Outcome) => void): void {
  const refuse = (reason: string): void => {
    done({ kind: 'failed', reason });
    answer.destroy();
  };
  const status = answer.statusCode ?? 0;
  if (status >= 300 && status < 400) {
    refuse('it answered with a redirect, which is not followed');
    return;
  }
  if (status !== 200) {
    refuse(`it answered with status ${status}`);
    return;
  }
  if (!/^application\/json\s*(?:;|$)/i.test(answer.headers['content-type'] ?? '')) {
    refuse('its answer is not JSON');
    return;
  }
  if ((answer.headers['content-encoding'] ?? 'identity') !== 'identity') {
    refuse('its answer is compressed, which was not asked for');
    return;
  }
  const pieces: Buffer[] = [];
  let bytes = 0;
  answer.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES) refuse('its answer is too long');
    else pieces.push(piece);
  });
  answer.on('end', () => {
    done({ kind: 'answered', text: Buffer.concat(pieces).toString('utf8') });
  });
}

const CERTIFICATE = /^(?:CERT_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;

function failureOf(error: Error): Outcome {
  const detail = 'code' in error ? String(error.code) : error.message;
  if (CERTIFICATE.test(detail)) return { kind: 'failed', reason: 'its certificate is not trusted', detail };
  if (detail.startsWith('HPE_')) return { kind: 'failed', reason: 'its answer is not HTTP', detail };
  return { kind: 'failed', reason: 'it could not be reached', detail };
}
