import type { ServerResponse } from 'node:http';

import type { Principal } from '../../domain/principal.ts';
import { SECOND_MS } from '../../domain/time.ts';
import type { Core } from '../core.ts';
import { type EventPage, readEvents } from './feed.ts';
import type { EventWatch } from './watch.ts';

/** What a stream of events needs. */
export interface StreamOptions {
  /** What each look stands on. */
  readonly atPresent: () => Pick<Core, 'db' | 'policy'>;
  readonly watch: Pick<EventWatch, 'subscribe'>;
  /** Whoever reads, as they are known now: a stream outlasts what was true of its reader when it was opened. */
  readonly reader: () => Promise<Principal>;
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
  const { watch } = options;
  const over = new AbortController();
  let rouse: () => void = () => undefined;
  let news = true;
  const end = (): void => {
    over.abort();
    rouse();
  };
  response.once('close', end);
  /** Waits until something holds, or all is over; looks whenever anything happens. */
  const until = async (holds: () => boolean): Promise<void> => {
    while (!over.signal.aborted && !holds()) {
      await new Promise<void>((resolve) => {
        rouse = resolve;
      });
    }
  };
  const read = async (after: string | undefined): Promise<EventPage> =>
    readEvents(options.atPresent(), await options.reader(), after);

  let page = await read(options.after);
  options.opened();
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  // A stream that began without a place has one from now on: it may break before its first event.
  const place = options.after === undefined ? `id: ${page.nextCursor}\n` : '';
  response.write(`${place}retry: ${RECONNECT_MS}\n\n`);

  const subscription = watch.subscribe(() => {
    news = true;
    rouse();
  });
  response.on('drain', () => {
    rouse();
  });
  options.signal.addEventListener('abort', end);
  if (options.signal.aborted) end();
  const expiry = setTimeout(end, Math.min(options.endAfterMs, TIMER_MAX_MS));
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(': still here\n\n');
  }, HEARTBEAT_MS);

  try {
    while (!over.signal.aborted) {
      for (const event of page.items) {
        response.write(`id: ${event.cursor}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
      }
      await until(() => !response.writableNeedDrain);
      if (page.items.length === 0) await until(() => news);
      if (over.signal.aborted) break;
      news = false;
      page = await read(page.nextCursor);
    }
  } finally {
    subscription[Symbol.dispose]();
    clearTimeout(expiry);
    clearInterval(heartbeat);
    options.signal.removeEventListener('abort', end);
    // Whoever does not read would hold the connection, and what waits in it, for ever.
    if (response.writableNeedDrain) response.destroy();
    else response.end();
  }
}
