import type { ServerResponse } from 'node:http';

import type { BearerToken } from '../databricks/index.ts';
import { type EpochMs, SECOND_MS, toUnixSeconds } from '../domain/time.ts';
import type { Refusal } from './refusal.ts';

/** However long a token lives, the broker's answer says at most this: a revocation bites within minutes. */
export const MAX_ANSWERED_LIFE_MS = 120 * SECOND_MS;

/** The text that hands a token out at a moment. */
export type AnswerWriter = (token: BearerToken, nowMs: EpochMs) => string;

/** Writes the answers of one path: anew only where the token is another, or a second has gone by. */
export function answerWriter(): AnswerWriter {
  let last: { readonly token: BearerToken; readonly expiresOn: number; readonly text: string } | undefined;
  return (token, nowMs) => {
    const expiresOn = toUnixSeconds(Math.min(token.expiresAtMs, nowMs + MAX_ANSWERED_LIFE_MS));
    if (last?.token !== token || last.expiresOn !== expiresOn) {
      const text = JSON.stringify({
        access_token: token.accessToken,
        token_type: 'Bearer',
        expires_on: expiresOn,
      });
      last = { token, expiresOn, text };
    }
    return last.text;
  };
}

/** Says why there is no token, and hangs up. */
export function refuse(response: ServerResponse, refusal: Refusal): void {
  response.setHeader('connection', 'close');
  if (refusal.code === 'method') response.setHeader('allow', 'GET');
  const message = refusal.detail === undefined ? refusal.sentence : `${refusal.sentence} (${refusal.detail})`;
  send(response, refusal.status, JSON.stringify({ error: refusal.code, message }));
}

/** Sends JSON that nobody keeps. */
export function send(response: ServerResponse, status: number, text: string): void {
  const length = Buffer.byteLength(text);
  response
    .writeHead(status, [
      ...['content-type', 'application/json', 'content-length', String(length)],
      ...['cache-control', 'no-store', 'x-content-type-options', 'nosniff'],
    ])
    // Plain letters are the same bytes in both, and sooner written in this one.
    .end(text, length === text.length ? 'latin1' : 'utf8');
}
