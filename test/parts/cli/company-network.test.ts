import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { startIdentityProvider } from '../../../src/sandbox/identity-provider/index.ts';
import { EDITOR_CLIENT_ID, OAM_AUDIENCE } from '../../../src/sandbox/identity-provider/index.ts';
import { endPrograms, oam } from './oam-process.ts';

const run = promisify(execFile);

describe("oam in a company's network", function () {
  this.timeout(30_000);
  afterEach(endPrograms);
  let stack: AsyncDisposableStack;
  beforeEach(() => {
    stack = new AsyncDisposableStack();
  });
  afterEach(() => stack.disposeAsync());

  const listening = async (server: ReturnType<typeof createServer>): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stack.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    return address.port;
  };
  const proxyOf = async (): Promise<{ port: number; asked: string[] }> => {
    const asked: string[] = [];
    const proxy = createServer((_request, response) => response.writeHead(502).end());
    proxy.on('connect', ({ url }, socket) => {
      asked.push(url ?? '');
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    return { port: await listening(proxy), asked };
  };

  it('asks the control plane and the identity provider through the proxy, and this machine itself directly', async () => {
    const { port, asked } = await proxyOf();
    const env = { HTTPS_PROXY: `http://127.0.0.1:${port}`, HTTP_PROXY: `http://127.0.0.1:${port}` };
    const away = await oam(['status'], { env: { ...env, OAM_URL: 'https://oam.example.invalid' } });
    assert.equal(away.code, 1);
    assert.deepEqual(asked, ['oam.example.invalid:443']);

    const idp = await startIdentityProvider();
    stack.defer(() => idp.close());
    const says = (issuer: string) =>
      createServer((_request, response) => {
        response.setHeader('content-type', 'application/json');
        const identity = { issuer, clientId: EDITOR_CLIENT_ID, audience: OAM_AUDIENCE, scopes: ['openid'] };
        response.end(
          JSON.stringify({ product: 'databricks-ml-oam', version: '1', identity, workspaces: [] }),
        );
      });
    asked.length = 0;
    const far = await listening(says('https://idp.example.invalid'));
    await oam(['roles'], { env: { ...env, OAM_URL: `http://127.0.0.1:${far}` } });
    assert.deepEqual([...new Set(asked)], ['idp.example.invalid:443']);

    asked.length = 0;
    const near = await listening(says(idp.issuer));
    const signingIn = await oam(['roles'], {
      env: { ...env, OAM_URL: `http://127.0.0.1:${near}` },
      onStderr: (text, kill) => {
        if (text.includes('confirm the code')) kill('SIGTERM');
      },
    });
    assert.match(signingIn.stderr, /confirm the code/);
    assert.deepEqual(asked, []);
  });

  it('believes an authority that was installed for it, and no other', async function () {
    const folder = await mkdtemp(path.join(tmpdir(), 'oam-ca-'));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const at = (name: string) => path.join(folder, name);
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-keyout', at('key.pem'), '-out', at('cert.pem')],
    ]);
    const server = createSecureServer(
      { key: await readFile(at('key.pem')), cert: await readFile(at('cert.pem')) },
      (_request, response) => {
        response.setHeader('content-type', 'application/json');
        const identity = { issuer: 'https://idp.example', clientId: 'c', audience: 'a', scopes: [] };
        response.end(
          JSON.stringify({ product: 'databricks-ml-oam', version: '9.9', identity, workspaces: [] }),
        );
      },
    );
    const OAM_URL = `https://localhost:${await listening(server)}`;
    const stranger = await oam(['status'], { env: { OAM_URL } });
    assert.equal(stranger.code, 1);
    assert.match(stranger.stderr, /SELF_SIGNED/);
    const known = await oam(['status'], { env: { OAM_URL, NODE_EXTRA_CA_CERTS: at('cert.pem') } });
    assert.match(known.stdout, /version 9\.9/);
    // The system's store, as OpenSSL is told of it.
    const installed = await oam(['status'], { env: { OAM_URL, SSL_CERT_FILE: at('cert.pem') } });
    assert.match(installed.stdout, /version 9\.9/);
  });
});
