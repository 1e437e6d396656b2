import { createHmac } from 'node:crypto';

import { OamError } from '../../domain/errors.ts';
import { type EpochMs, SECOND_MS } from '../../domain/time.ts';

/** A key that webhooks are signed with, made by {@link signingKey}. */
export interface SigningKey {
  readonly bytes: Buffer;
}

/** A message to a webhook. */
export interface SignedMessage {
  /** Names the message, also where it is sent again: a receiver takes each name once. Without a dot. */
  readonly id: string;
  /** When this attempt to send it is made. Receivers refuse what is more than five minutes from their own time. */
  readonly sentAtMs: EpochMs;
  /** Exactly what is sent. */
  readonly body: string;
}

/** The headers that a receiver verifies. */
export type SignatureHeaders = Readonly<
  Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>
>;

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/** What the Standard Webhooks specification asks of a symmetric secret, in bytes. */
const KEY_BYTES = { least: 24, most: 64 } as const;

/**
 * A secret in the form of Standard Webhooks, `whsec_` and the base64 of 24 to 64 random bytes, as a key.
 *
 * @param name where the secret was found; the secret itself is never told.
 * @throws {OamError} `secret_malformed`.
 */
export function signingKey(secret: string, name: string): SigningKey {
  const bytes = Buffer.from(SECRET.exec(secret)?.[1] ?? '', 'base64');
  if (bytes.length >= KEY_BYTES.least && bytes.length <= KEY_BYTES.most) return { bytes };
  throw new OamError(
    'secret_malformed',
    "A webhook's secret is not of the form whsec_ and the base64 of 24 to 64 random bytes. Make one with: echo whsec_$(openssl rand -base64 32)",
    { detail: name },
  );
}

/**
 * Signs a message by Standard Webhooks 1.0, with each of the keys: while a key is replaced, receivers that know the old
 * one and receivers that know the new one both find a signature that is theirs.
 */
export function signatureHeaders(
  keys: readonly SigningKey[],
  { id, sentAtMs, body }: SignedMessage,
): SignatureHeaders {
  const timestamp = String(Math.floor(sentAtMs / SECOND_MS));
  const signed = `${id}.${timestamp}.${body}`;
  const signatures = keys.map(
    ({ bytes }) => `v1,${createHmac('sha256', bytes).update(signed, 'utf8').digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
