import * as z from 'zod/mini';

import {
  type CallerOptions,
  type CallInput,
  type LinesOperationId,
  parseAnswer,
  requestOf,
} from './client.ts';
import type { HttpStream } from './transport.ts';

/** Calls the operations that answer line by line. */
export interface LinesClient {
  /**
   * The lines of an answer as they come, each of them JSON. The answer has begun when the promise resolves.
   *
   * @throws {ControlPlaneError} the problem that the control plane answered with.
   * @throws {OamError} `unreachable`, `timed_out`, `cancelled`, `not_the_control_plane`; while lines come,
   * `unreachable` where the connection breaks.
   */
  read<Id extends LinesOperationId>(operation: Id, input?: CallInput<Id>): Promise<AsyncIterable<string>>;
}

/** Creates a client over a transport that streams. */
export function createLinesClient(options: CallerOptions & { readonly stream: HttpStream }): LinesClient {
  return {
    async read(operation, input = {}) {
      const answer = await options.stream(await requestOf(options, operation, input));
      if (answer.status === 200) return linesOf(answer.text);
      let text = '';
      for await (const piece of answer.text) text += piece;
      return parseAnswer(z.never(), answer.status, text);
    },
  };
}

/** Lines out of pieces that are cut anywhere. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
