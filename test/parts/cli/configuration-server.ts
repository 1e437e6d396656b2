import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Configuration } from '../../../src/protocol/configuration.ts';

export interface ConfigurationServer {
  readonly url: string;
  close(): void;
}

/** Of a control plane only what is asked before sign-in: working as oneself needs nothing else of it. */
export async function serveConfiguration(
  says: () => Pick<Configuration, 'identity' | 'workspaces'>,
): Promise<ConfigurationServer> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.statusCode = request.url === '/api/v1/configuration' ? 200 : 404;
    const configuration: Configuration = { product: 'databricks-ml-oam', version: '1', ...says() };
    response.end(JSON.stringify(configuration));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  };
}
