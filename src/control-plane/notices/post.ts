import { OamError } from '../../domain/errors.ts';
import { type EpochMs, HOUR_MS, SECOND_MS } from '../../domain/time.ts';
import type { HttpResponse, HttpTransport } from '../../protocol/transport.ts';

/** From the first byte that is sent to the last one of the answer. */
const WHOLE_MS = 20 * SECOND_MS;

/** No receiver puts its notices off for longer. */
const MAX_WAIT_MS = HOUR_MS;

/** A receiver that did not take a notice, and when it may be asked again. */
export class NotTaken extends OamError {
  readonly waitMs: number;

  constructor(detail: string, waitMs = 0) {
    super('notice_not_taken', 'The receiver does not take the notice. Look at its own log.', { detail });
    this.name = 'NotTaken';
    this.waitMs = waitMs;
  }
}

/** What is posted. */
export interface Post {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  readonly nowMs: EpochMs;
  readonly signal: AbortSignal;
  /** What keeps an answer of the right status from being the receiver's own, or undefined if nothing does. */
  readonly faultOf: (answer: HttpResponse) => string | undefined;
}

/** A page for people is no answer of a program: a proxy that asks somebody to sign in took nothing. */
export function faultOfPage({ headers }: HttpResponse): string | undefined {
  return /\bhtml\b/i.test(headers['content-type'] ?? '') ? 'a page for people' : undefined;
}

/**
 * Posts JSON to a receiver. A redirect is no answer: nothing is sent to another address.
 *
 * @throws {NotTaken} and whatever the transport throws.
 */
export async function post(transport: HttpTransport, message: Post): Promise<void> {
  const { url, headers, body, nowMs, signal, faultOf } = message;
  const answer = await transport({
    method: 'POST',
    url,
    headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'databricks-ml-oam' },
    body,
    signal: AbortSignal.any([signal, AbortSignal.timeout(WHOLE_MS)]),
    timeoutMs: WHOLE_MS,
  });
  const { status } = answer;
  if (status < 200 || status >= 300) {
    throw new NotTaken(`status ${status}`, waitOf(answer.headers['retry-after'], nowMs));
  }
  const fault = faultOf(answer);
  if (fault !== undefined) throw new NotTaken(fault);
}

/** What `Retry-After` asks for: seconds, or a moment. */
function waitOf(header: string | undefined, nowMs: EpochMs): number {
  if (header === undefined) return 0;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * SECOND_MS : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_WAIT_MS) : 0;
}
