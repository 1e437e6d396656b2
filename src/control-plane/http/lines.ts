import { Readable } from 'node:stream';

import type { FastifyReply } from 'fastify';

import type { Logger } from '../../domain/logger.ts';

/** True for an answer that comes piece by piece. */
export function isLines(answer: unknown): answer is AsyncIterable<unknown> {
  return typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer;
}

/**
 * Sends an answer as lines of JSON, as fast as the client takes them. What fails in the middle breaks the connection,
 * as the status has been said by then.
 */
export function sendLines(reply: FastifyReply, answer: AsyncIterable<unknown>, logger: Logger): FastifyReply {
  return reply
    .code(200)
    .type('application/x-ndjson')
    .header('cache-control', 'no-store')
    .send(Readable.from(linesOf(answer, logger), { objectMode: false }));
}

async function* linesOf(answer: AsyncIterable<unknown>, logger: Logger): AsyncGenerator<string> {
  try {
    for await (const item of answer) yield `${JSON.stringify(item)}\n`;
  } catch (error) {
    logger.error('An answer broke off.', { reason: error instanceof Error ? error.message : 'unknown' });
    throw error;
  }
}
