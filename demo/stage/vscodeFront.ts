import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** The door of a VS Code server. */
export interface VscodeFront {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Stands before VS Code's server, as the program `code-server` does, and answers what its VS Code expects of that:
 *
 * - `POST /mint-key`: half of the key that seals secrets in the browser. Without it VS Code forgets every sign-in when
 *   its page is loaded again.
 * - `/proxy/<port>/…`: where VS Code sends addresses of this machine, assuming a browser on another. Ours is on this one,
 *   so it is sent on to the page itself.
 *
 * All else goes to the server, on a socket that nobody else can open.
 */
export async function startVscodeFront(o: {
  port: number;
  socketPath: string;
  /** Undefined where the server runs without one. */
  connectionToken: string | undefined;
}): Promise<VscodeFront> {
  const serverHalf = randomBytes(32);
  const sockets = new Set<Duplex>();

  const front = createServer((incoming, response) => {
    const path = incoming.url ?? '/';
    const [, port, rest] = /^\/proxy\/(\d{1,5})(\/.*)?$/.exec(path) ?? [];
    if (path === '/mint-key' && incoming.method === 'POST') {
      if (o.connectionToken === undefined || cookieOf(incoming, 'vscode-tkn') === o.connectionToken) {
        response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(serverHalf);
      } else {
        response.writeHead(403).end();
      }
    } else if (port !== undefined && incoming.method === 'GET') {
      response.writeHead(302, { location: `http://127.0.0.1:${port}${rest ?? '/'}` }).end();
    } else {
      pass(incoming, response, o.socketPath);
    }
  });
  front.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  front.on('upgrade', (incoming, socket, head) => {
    const server = connect(o.socketPath);
    const headers: string[] = [];
    for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
      headers.push(`${incoming.rawHeaders[index] ?? ''}: ${incoming.rawHeaders[index + 1] ?? ''}`);
    }
    server.write(`GET ${incoming.url ?? '/'} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    server.write(head);
    server.pipe(socket).pipe(server);
    server.on('error', () => socket.destroy());
    socket.on('error', () => server.destroy());
    socket.on('close', () => server.destroy());
    server.on('close', () => socket.destroy());
  });

  front.listen(o.port, '127.0.0.1');
  await once(front, 'listening');
  const address = front.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return {
    port: address.port,
    async close() {
      const closed = once(front, 'close');
      front.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function pass(incoming: IncomingMessage, response: ServerResponse, socketPath: string): void {
  const { method, url: path, headers } = incoming;
  const onward = request({ socketPath, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.on('close', () => onward.destroy());
  incoming.pipe(onward);
}

function cookieOf(incoming: IncomingMessage, name: string): string | undefined {
  const pairs = (incoming.headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}
