import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, cp, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { EDITOR_CLIENT_ID, OAM_AUDIENCE } from '../../../src/sandbox/identity-provider/index.ts';

describe('oam serve', function () {
  // Each makes a database anew.
  this.timeout(120_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oam-serve-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const configuration = (policyFolder: string): string =>
    JSON.stringify({
      listen: { host: '127.0.0.1', port: 0 },
      dataFolder: join(folder, 'data'),
      policyFolder,
      identity: {
        issuer: 'https://idp.example',
        clientId: EDITOR_CLIENT_ID,
        audience: OAM_AUDIENCE,
        scopes: ['openid'],
        claims: { attributes: { on_call: 'on_call' } },
      },
      databricks: { accountId: '1', clientId: 'core', clientSecretEnv: 'OAM_SECRET' },
      issuer: { keyEnv: 'OAM_KEY' },
    });
  const env = {
    PATH: process.env['PATH'],
    OAM_KEY: Buffer.alloc(32).toString('base64'),
    OAM_SECRET: 'none',
    OAM_WORKSPACE_PROD: 'https://prod.example',
    OAM_WORKSPACE_DEV: 'https://dev.example',
  };

  it('looks at its policy folder on a hang-up, and stops only when it is asked to', async () => {
    const policy = join(folder, 'policy');
    await cp('demo/policy', policy, { recursive: true });
    const file = join(folder, 'oam.yaml');
    await writeFile(file, configuration(policy));
    const server = spawn(process.execPath, ['src/cli/main.ts', 'serve', '--config', file], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      assert.match(String((await once(createInterface({ input: server.stdout }), 'line'))[0]), /listening/);
      await appendFile(
        join(policy, 'requests.cedar'),
        '@id("closed") @because("Closed.") forbid(principal, action in [Action::"request"], resource);\n',
      );
      server.kill('SIGHUP');
      for await (const line of createInterface({ input: server.stderr })) {
        if (line.includes('Another version of the policy decides')) break;
      }
      server.kill('SIGTERM');
      assert.deepEqual(await once(server, 'exit'), [0, null]);
    } finally {
      server.kill('SIGKILL');
    }
  });

  it('hears a signal that comes while it still reads its configuration', async () => {
    const file = join(folder, 'oam.yaml');
    // A pipe: whoever reads it waits for what is written, and opening it waits for who reads it.
    execFileSync('mkfifo', [file]);
    const server = spawn(process.execPath, ['src/cli/main.ts', 'serve', '--config', file], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      const lines = createInterface({ input: server.stderr });
      const pipe = await open(file, 'w');
      const heard = once(lines, 'line', { signal: AbortSignal.timeout(10_000) });
      server.kill('SIGTERM');
      assert.match(String((await heard)[0]), /"stopping".*SIGTERM/);
      await pipe.writeFile(configuration(join(process.cwd(), 'demo/policy')));
      await pipe.close();
      assert.deepEqual(await once(server, 'exit'), [0, null]);
    } finally {
      server.kill('SIGKILL');
    }
  });
});
