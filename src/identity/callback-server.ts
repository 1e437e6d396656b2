import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { OamError } from '../domain/errors.ts';
import type { Callback } from './browser-answer.ts';
import { stateMismatch } from './failures.ts';

/** Where the browser is to come back to. */
export interface CallbackPlace {
  /** The ports to try, the first one first; 0 is any free one. */
  readonly ports: readonly number[];
  /** The one path that is answered. */
  readonly path: string;
  /**
   * The origin by which the browser reaches the port: of this machine, or of the one that forwards to it.
   *
   * @throws what makes the port of no use to the browser.
   */
  readonly origin: (port: number) => string | Promise<string>;
}

const USUAL_PLACE: CallbackPlace = {
  ports: [0],
  path: '/callback',
  origin: (port) => `http://127.0.0.1:${port}`,
};

/**
 * Listens on a port of 127.0.0.1 for one answer of the browser, and takes no second one.
 *
 * @throws {OamError} `loopback_unavailable` where the machine does not allow it, or all the ports are taken.
 */
export async function startCallbackServer(
  expectedState: string,
  place: CallbackPlace = USUAL_PLACE,
): Promise<Callback> {
  const { promise: answer, resolve, reject } = Promise.withResolvers<URL>();
  // Somebody may stop waiting before the browser comes back.
  answer.catch(() => undefined);
  let waiting: ServerResponse | undefined;
  let answered = false;
  let origin = '';

  const server = createServer((request, response) => {
    const address = callbackAddress(request, origin, place.path);
    if (address === undefined) {
      show(response, 404, NOT_FOUND);
      return;
    }
    if (answered) {
      show(response, 410, USED);
      return;
    }
    answered = true;
    if (sameText(address.searchParams.get('state') ?? '', expectedState)) {
      // The page is sent when the sign-in has really ended, so that it never says more than is true.
      waiting = response;
      resolve(address);
    } else {
      show(response, 400, FAILED);
      reject(stateMismatch());
    }
  });

  const port = await listenOnOneOf(server, place.ports);
  try {
    origin = new URL(await place.origin(port)).origin;
  } catch (error) {
    server.close();
    throw error;
  }

  return {
    redirectUri: place.path === '/' ? origin : `${origin}${place.path}`,
    answer,
    goOn(url) {
      waiting?.writeHead(302, { location: url, ...PAGE_HEADERS }).end();
    },
    async close(outcome) {
      const closed = once(server, 'close');
      server.close();
      if (waiting && !waiting.writableEnded && !waiting.destroyed) {
        const shown = once(waiting, 'close');
        if (outcome === 'signed-in') show(waiting, 200, SIGNED_IN);
        else show(waiting, 400, FAILED);
        await shown;
      }
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listenOnOneOf(server: Server, ports: readonly number[]): Promise<number> {
  let trouble: unknown;
  for (const port of ports) {
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      const bound = server.address();
      if (bound === null || typeof bound === 'string') throw new Error('The callback server has no port');
      return bound.port;
    } catch (error) {
      trouble = error;
    }
  }
  throw new OamError(
    'loopback_unavailable',
    'This machine does not let OAM wait for the browser. Choose another way to sign in, or end the program that uses the port.',
    { detail: ports.every((port) => port === 0) ? 'any port' : `port ${ports.join(', ')}`, cause: trouble },
  );
}

/** Only a plain GET of the one path, addressed to this very server, is an answer. */
function callbackAddress(request: IncomingMessage, origin: string, path: string): URL | undefined {
  if (request.method !== 'GET' || `http://${request.headers.host ?? ''}` !== origin) return undefined;
  const target = request.url ?? '';
  if (!URL.canParse(target, origin)) return undefined;
  const address = new URL(target, origin);
  return address.origin === origin && address.pathname === path ? address : undefined;
}

function sameText(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}

const SIGNED_IN = page('You are signed in', 'Go back to VS Code. You can close this page.');
const FAILED = page('The sign-in did not work', 'Go back to VS Code: it says why.');
const USED = page('This sign-in is over', 'Start a new one in VS Code.');
const NOT_FOUND = page('There is nothing here', 'Go back to VS Code.');

const PAGE_HEADERS = {
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  connection: 'close',
} as const;

function show(response: ServerResponse, status: number, html: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
      ...PAGE_HEADERS,
    })
    .end(html);
}

function page(title: string, text: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Databricks ML OAM</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 400px; }
h1 { margin: 0 0 8px; font-size: 24px; line-height: 1.25; }
p { margin: 0; }
</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p role="status">${text}</p>
</main>
</body>
</html>`;
}
