import { createParser } from 'eventsource-parser';
import * as z from 'zod/mini';

import { OamError } from '../domain/errors.ts';
import { SECOND_MS } from '../domain/time.ts';
import { type CallerOptions, parseAnswer, requestOf } from './client.ts';
import { EventView } from './events.ts';
import type { HttpStream } from './transport.ts';

type Event = z.infer<typeof EventView>;

/** Follows the events that concern the caller as they happen. */
export interface EventsClient {
  /**
   * Opens the stream behind a cursor. What happened since comes first. It ends by itself with the token that opened it.
   *
   * @throws {ControlPlaneError} the problem that the control plane answered with.
   * @throws {OamError} `unreachable`, `timed_out`, `cancelled`; `not_the_control_plane` where what answers does not
   * stream; while events come, `unreachable` where the connection breaks or nothing is heard for {@link SILENCE_MS}.
   */
  follow(after: string, signal: AbortSignal): Promise<AsyncIterable<Event>>;
}

/** The control plane says every 15 seconds that it is still there. A proxy that keeps answers back lets none through. */
export const SILENCE_MS = 40 * SECOND_MS;

/** Creates a client over a transport that streams. */
export function createEventsClient(options: CallerOptions & { readonly stream: HttpStream }): EventsClient {
  return {
    async follow(after, signal) {
      const request = await requestOf(options, 'listEvents', { query: { after } });
      const silence = new AbortController();
      const answer = await options.stream({
        ...request,
        headers: { ...request.headers, accept: 'text/event-stream' },
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (answer.status !== 200 || answer.headers['content-type']?.startsWith('text/event-stream') !== true) {
        let text = '';
        for await (const piece of answer.text) text += piece;
        if (answer.status !== 200) return parseAnswer(z.never(), answer.status, text);
        throw new OamError(
          'not_the_control_plane',
          'The address answers, but not as a control plane of this version. Check the address in the settings.',
          { detail: 'no stream of events' },
        );
      }
      return eventsOf(answer.text, silence);
    },
  };
}

async function* eventsOf(pieces: AsyncIterable<string>, silence: AbortController): AsyncGenerator<Event> {
  const heard: Event[] = [];
  const parser = createParser({
    onEvent: ({ data }) => {
      const event = EventView.safeParse(asJson(data));
      // A kind that a newer control plane tells of is news all the same, and not for us to understand.
      if (event.success) heard.push(event.data);
    },
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  listen();
  try {
    for await (const piece of pieces) {
      listen();
      parser.feed(piece);
      yield* heard.splice(0);
    }
  } catch (error) {
    if (!silence.signal.aborted) throw error;
    throw new OamError(
      'unreachable',
      'The server could not be reached. Check the address and your network.',
      {
        detail: 'the stream of events is silent',
        cause: error,
      },
    );
  } finally {
    clearTimeout(timer);
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
