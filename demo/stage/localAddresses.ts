import { once } from 'node:events';
import { createServer } from 'node:http';

/** Sends browsers on to addresses of this machine. */
export interface LocalAddresses {
  /** What code-server calls a proxy's address: `{{port}}` stands for the port that is wanted. */
  readonly template: string;
  close(): Promise<void>;
}

/**
 * Code-server's VS Code never opens `http://127.0.0.1:<port>/path` as it is: it assumes a browser on another machine and
 * opens a path of its proxy instead, which does not exist here. Our browser is on this machine, so the proxy's address
 * leads to a redirect to where the page really is.
 */
export async function startLocalAddresses(): Promise<LocalAddresses> {
  const server = createServer((request, response) => {
    const [, port, rest] = /^\/(\d{1,5})(\/.*)?$/.exec(request.url ?? '') ?? [];
    if (request.method !== 'GET' || port === undefined || Number(port) > 65_535) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(302, { location: `http://127.0.0.1:${port}${rest ?? '/'}` }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return {
    template: `http://127.0.0.1:${String(address.port)}/{{port}}/`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
