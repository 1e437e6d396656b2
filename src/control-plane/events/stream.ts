import type { ServerResponse } from 'node:http';

import type { Principal } from '../../domain/principal.ts';
import { SECOND_MS } from '../../domain/time.ts';
import { newestFacts } from '../authentication/principals.ts';
import type { Core } from '../core.ts';
import { type EventPage, readEvents } from './feed.ts';
import type { EventWatch } from './watch.ts';

/** What a stream of events needs. */
export interface StreamOptions {
  readonly core: Core;
  readonly watch: EventWatch;
  readonly caller: Principal;
  /** From `Last-Event-ID`, or the query. */
  readonly after: string | undefined;
  /** The stream ends with the token that opened it, in milliseconds from now. */
  readonly endAfterMs: number;
  /** Ends the stream when the server stops. */
  readonly signal: AbortSignal;
  /** Called when the answer begins: until then a failure can still be answered in the ordinary way. */
  readonly opened: () => void;
}

/** Often enough that no proxy thinks the stream dead. */
const HEARTBEAT_MS = 15 * SECOND_MS;

const RECONNECT_MS = 2 * SECOND_MS;

/** The longest delay that a timer takes. */
const TIMER_MAX_MS = 2_147_483_647;

/**
 * Sends events as they come (Server-Sent Events). It ends with the caller's token, the connection or the server; the
 * client comes back with `Last-Event-ID` and misses nothing.
 */
export async function streamEvents(response: ServerResponse, options: StreamOptions): Promise<void> {
  const { core, watch } = options;
  // A stream outlasts what was true of its reader when it was opened.
  const read = async (after: string | undefined): Promise<EventPage> =>
    readEvents(core, await newestFacts(core.db, options.caller), after);
  let page = await read(options.after);
  options.opened();
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  response.write(`retry: ${RECONNECT_MS}\n\n`);

  let news = true;
  let ended = false;
  let interrupt: (() => void) | undefined;
  const rouse = (): void => {
    news = true;
    interrupt?.();
  };
  const end = (): void => {
    ended = true;
    interrupt?.();
  };
  const subscription = watch.subscribe(rouse);
  response.on('close', end);
  options.signal.addEventListener('abort', end);
  const expiry = setTimeout(end, Math.min(options.endAfterMs, TIMER_MAX_MS));
  const heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS);
  const state = (): { ended: boolean; news: boolean } => ({ ended, news });

  try {
    while (!state().ended) {
      for (const event of page.items) {
        response.write(`id: ${event.cursor}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
      }
      if (page.items.length === 0 && !state().news) {
        await new Promise<void>((resolve) => {
          interrupt = resolve;
          if (state().ended || state().news) resolve();
        });
        interrupt = undefined;
      }
      if (state().ended) break;
      news = false;
      page = await read(page.nextCursor);
    }
  } finally {
    subscription[Symbol.dispose]();
    clearTimeout(expiry);
    clearInterval(heartbeat);
    options.signal.removeEventListener('abort', end);
    response.end();
  }
}
