import type { IncomingHttpHeaders } from 'node:http';

import { OamError } from '../../domain/errors.ts';

const BEARER = /^Bearer +([\w.~+/=-]+)$/i;

/** What an `Idempotency-Key` looks like. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;

/** What an `If-Match` looks like: one ETag of ours, with the version in it. */
export const ENTITY_TAG = /^(?:W\/)?"(\d{1,9})"$/;

/**
 * The bearer token of a request. Where Databricks Apps stands in front, `Authorization` is its own and OAM's token
 * travels in `X-OAM-Authorization`, which therefore comes first.
 */
export function bearerToken(headers: IncomingHttpHeaders): string | undefined {
  const own = headers['x-oam-authorization'];
  const header = typeof own === 'string' ? own : headers.authorization;
  return header === undefined ? undefined : BEARER.exec(header)?.[1];
}

/**
 * The key by which a repetition is known.
 *
 * @throws {OamError} `idempotency_key_missing`, `bad_request`.
 */
export function idempotencyKey(headers: IncomingHttpHeaders): string {
  const key = headers['idempotency-key'];
  if (typeof key !== 'string' || key === '') {
    throw new OamError(
      'idempotency_key_missing',
      'Send an Idempotency-Key: the same for a repetition, a new one for a new wish.',
    );
  }
  if (!IDEMPOTENCY_KEY.test(key)) {
    throw new OamError('bad_request', 'An Idempotency-Key has at most 200 characters and no white space.');
  }
  return key;
}

/**
 * The version that a sender saw, where they said so.
 *
 * @throws {OamError} `bad_request` where the tag is none of ours.
 */
export function expectedVersion(headers: IncomingHttpHeaders): number | undefined {
  const header = headers['if-match'];
  if (header === undefined) return undefined;
  const version = ENTITY_TAG.exec(header)?.[1];
  if (version === undefined) {
    throw new OamError('bad_request', 'If-Match takes one ETag as the control plane gave it.');
  }
  return Number(version);
}
